"""What every view of the API has in common: who calls, what they sent, pages,
and a description for the schema.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property, partial
from typing import Any, ClassVar, TypeVar

from django.core.exceptions import PermissionDenied
from django.core.exceptions import ValidationError as DjangoValidationError
from django.core.validators import MaxLengthValidator, MinLengthValidator
from django.db.models import Model, QuerySet
from django.utils import timezone, translation
from django.views.decorators.gzip import gzip_page
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.fields import SkipField, empty, get_error_detail
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.permissions import Scope
from apps.api import idempotency
from apps.api.auth import caller_of
from apps.api.limits import PerCaller, headers_of
from apps.api.paging import PARAMETERS, CursorPages, page_query
from apps.api.refusals import KEY_META, MEDIA_TYPE, Changed, NoSuchAddress
from apps.lib.actor import Actor
from apps.lib.ids import uuid7

Row = TypeVar("Row", bound=Model)
MOST_LISTED = 1_000  # members of a list in a body, where nothing else is said


# Fields called data, label, source or errors hide properties of the serializer, which the stubs
# type: such fields are annotated Any.
# It refuses what it does not know: a misspelt field must not be lost in silence. A docstring would
# stand in the document as the description of each body that has none.
class Strict(serializers.Serializer[Any]):
    # What a body names beside the endpoint's own subject, by its place ("recipients.tags" looks
    # into each member of a list), and the scope that it takes.
    naming: ClassVar[Mapping[str, Scope]] = {}

    @cached_property
    def fields(self) -> Any:
        """Made once for each class: to copy them all for every request was an eighth of a call to
        notify.

        They keep nothing of what they check.
        Only "partial" is asked of the serializer they were made by.
        """
        if self.partial or self.parent is not None or self.context:
            return super().fields
        return _fields_of(type(self))

    def get_fields(self) -> Any:
        """Give every list a most: one that names no other holds MOST_LISTED. One that may not be
        empty has a least too, for the document's sake.
        """
        fields = super().get_fields()
        for each in fields.values():
            if isinstance(each, serializers.ListField) and not each.allow_empty:
                each.validators.append(MinLengthValidator(1))
            if isinstance(each, serializers.ListField) and each.max_length is None:
                each.max_length = MOST_LISTED
                told = each.error_messages["max_length"].format(max_length=MOST_LISTED)
                each.validators.append(MaxLengthValidator(MOST_LISTED, message=told))
        return fields

    def to_internal_value(self, data: Any) -> Any:
        """Check what was sent, what is missed, and what has a default.

        REST framework asks each of the thirty fields of a call to notify, and most are left out.
        """
        if not isinstance(data, dict):
            return super().to_internal_value(data)
        values: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        fields = self.fields.fields  # the dict itself
        for name, field in fields.items():
            if name in data or field.required or field.default is not empty:
                self._take(field, data, values, errors)
        if errors:
            raise serializers.ValidationError(errors)
        if unknown := [name for name in data if name not in fields or fields[name].read_only]:
            known = [name for name, field in fields.items() if not field.read_only]
            told = ", ".join(known) or "none"
            said = [f"There is no field of this name here. Fields are: {told}."]
            raise serializers.ValidationError(dict.fromkeys(unknown, said), code="unknown_field")
        return values

    def _take(
        self, field: Any, data: dict[str, Any], values: dict[str, Any], errors: dict[str, Any]
    ) -> None:
        """Put a field's value among the values, or what is wrong with it among the errors."""
        if field.read_only:
            return
        try:
            value = field.run_validation(field.get_value(data))
            if own := getattr(self, f"validate_{field.field_name}", None):
                value = own(value)
        except serializers.ValidationError as error:
            errors[field.field_name] = error.detail
        except DjangoValidationError as error:
            errors[field.field_name] = get_error_detail(error)
        except SkipField:
            pass
        else:
            self.set_value(values, field.source_attrs, value)


@cache
def _fields_of(serializer: type[Strict]) -> Any:
    made = serializer()
    return super(Strict, made).fields


@cache
def _sources(serializer: type[Strict]) -> dict[str, str]:
    """The caller's word for each value, by ours."""
    return {str(field.source): name for name, field in _fields_of(serializer).items()}


class OnlyJson(DefaultContentNegotiation):
    """JSON whatever is asked: `?format=` is an unknown field like any other."""

    def filter_renderers(self, renderers: Any, format: str) -> Any:
        return renderers

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        """Take the one there is for those who ask for it or for anything; others are read, and so
        are parameters.
        """
        asked = request.META.get("HTTP_ACCEPT", "*/*")
        if asked in ("*/*", "application/json") and not request.META.get("QUERY_STRING"):
            return renderers[0], renderers[0].media_type
        return super().select_renderer(request, renderers, format_suffix)


class Endpoint(APIView):
    """A view: it translates and calls one act. `scopes` names what each method needs, `also`
    what it needs beside that.
    """

    scopes: ClassVar[dict[str, Scope]] = {}
    also: ClassVar[dict[str, Scope]] = {}
    http_method_names = ["get", "post", "put", "patch", "delete", "head"]
    throttle_classes = [PerCaller]
    pagination_class = CursorPages
    content_negotiation_class = OnlyJson
    cost = 1  # calls of the caller's allowance that one request takes
    one_transaction = True  # with an Idempotency-Key: the work and its answer are stored together
    _needed: Mapping[str, Scope] | None = None  # what the body was looked through for last

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        return gzip_page(super().as_view(**initkwargs))

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        # one language, whatever the caller's browser or HTTP client says that it likes
        with translation.override("en"):
            return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if "\0" in request.path:  # PostgreSQL takes none, not even to say that there is nothing
            raise NotFound
        handler = getattr(type(self), str(request.method).lower(), None)
        if handler in _BODILESS:
            self.body(Strict)  # has no fields
        self._need_for(_NAMING.get(handler, {}))
        if request.method not in idempotency.METHODS:
            return
        name = request.method.lower()
        if "HTTP_IF_MATCH" in request.META:
            self.compare_first(name)
        if KEY_META in request.META:
            setattr(self, name, partial(idempotency.once, self, getattr(self, name)))

    def compare_first(self, name: str) -> None:
        """Have the method with this name compare `If-Match` with what is there; see edited.py."""
        raise Changed("There is no ETag here to compare with. Leave out the If-Match header.")

    @cached_property
    def request_id(self) -> str:
        return str(uuid7())

    @property
    def by(self) -> Actor:
        return caller_of(self.request).actor

    @property
    def now(self) -> dt.datetime:
        return timezone.now()

    @cached_property
    def names(self) -> dict[str, str]:
        """What the caller calls a value of an act, where the two words differ."""
        return {}

    def body(self, serializer: type[Strict], **options: Any) -> dict[str, Any]:
        """The request's body, checked; only what was sent and what has a default."""
        data = self.request.data
        if serializer.naming is not self._needed:  # of addresses that are not described
            self._need_for(serializer.naming)
        given = serializer(data=data, **options)
        self.names.update(_sources(serializer))
        given.is_valid(raise_exception=True)
        values: dict[str, Any] = given.validated_data
        return values

    def may(self, scope: Scope) -> bool:
        """Whether the caller has this scope."""
        return scope in caller_of(self.request).scopes

    def need(self, scope: Scope, place: str) -> None:
        """Refuse what stands in this place of the body, unless the caller has the scope."""
        if lacks := caller_of(self.request).lacks(scope, place):
            raise PermissionDenied(lacks)

    def _need_for(self, naming: Mapping[str, Scope]) -> None:
        self._needed = naming
        if not naming:
            return
        data = self.request.data
        for place, scope in naming.items():
            if _says(data, place.split(".")):
                self.need(scope, place)

    def query(self, serializer: type[Strict] = Strict) -> dict[str, Any]:
        """The query parameters, checked, unknown ones refused; those of paging are paging's."""
        params = self.request.query_params
        fields = serializer().fields
        asked: dict[str, Any] = {}
        for name in params:
            if isinstance(fields.get(name), serializers.ListField):
                asked[name] = params.getlist(name)
            elif name in fields or name not in PARAMETERS:
                asked[name] = params.get(name)
        given = serializer(data=asked)
        given.is_valid(raise_exception=True)
        values: dict[str, Any] = given.validated_data
        return values

    def page(
        self, rows: QuerySet[Any], serializer: type[serializers.BaseSerializer[Any]]
    ) -> Response:
        """One page of the rows."""
        pages = CursorPages()
        found = pages.cut(rows, serializer, self.request)
        rows_out = serializer(found, many=True, context={"view": self})
        return pages.get_paginated_response(rows_out.data)

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        response["X-Request-Id"] = self.request_id
        response["Content-Language"] = "en"
        response["Cache-Control"] = "no-store"  # personal data belongs in no cache on the way
        for name, value in headers_of(request).items():
            response[name] = value
        return response


def _says(data: Any, path: Sequence[str]) -> bool:
    """Whether something stands in this place of a body that was not checked yet."""
    if isinstance(data, list):
        return any(_says(member, path) for member in data)
    if not path:
        return bool(data)
    if not isinstance(data, Mapping):
        return False
    return _says(data.get(path[0]), path[1:])


class Unrouted(Endpoint):
    """An address that no other view has: a problem document for any method, with a request id."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.perform_authentication(request)
        if request.auth is not None:
            self.check_throttles(request)
        hint = ""
        if request.path.endswith("/"):
            hint = " Leave out the slash at the end."
        raise NoSuchAddress(f"There is no such address in this API.{hint}")


def one(rows: QuerySet[Row], **lookup: Any) -> Row:
    """The row, or the same 404 whether it never was there or is not for this caller."""
    found = rows.filter(**lookup).first()
    if found is None:
        raise NotFound
    return found


class FieldProblem(serializers.Serializer[Any]):
    field = serializers.CharField(help_text="Such as `email` or `recipients.0.email`.")
    code = serializers.CharField(help_text="Stable name of what is wrong, such as `required`.")
    detail = serializers.CharField()


class Problem(serializers.Serializer[Any]):
    """RFC 9457."""

    type = serializers.CharField(help_text="Stable name of the kind of problem.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField(help_text="What is wrong and what to do.")
    errors: Any = FieldProblem(many=True, required=False)
    follower = serializers.UUIDField(
        required=False,
        help_text="Who has the address or external id already; for callers with followers:read.",
    )


_ALWAYS = {
    401: "No API key, or one that is not good.",
    403: "The key lacks the scope.",
    429: "Allowance spent; `Retry-After` says for how long.",
}
_SOMETIMES = {
    400: "A value can't be taken; `errors` says which.",
    404: "Unknown id.",
    409: "The state of things forbids it; `detail` says what to do.",
    429: "Allowance spent, or more calls come than this site can take; `Retry-After` says for how "
    "long. Of the second kind are those of type `urn:carillon:problem:overloaded`.",
}
View = TypeVar("View", bound=Callable[..., Any])
_BODILESS: set[Callable[..., Any]] = set()  # methods that write and take no body
# of other methods what their bodies name, as Strict has it
_NAMING: dict[Callable[..., Any] | None, Mapping[str, Scope]] = {}


def described(
    tag: str,
    name: str,
    summary: str,
    *,
    answer: Any,
    status: int = 200,
    body: Any = None,
    query: Any = None,
    refuses: Sequence[int] = (),
    details: str = "",
    repeat: bool = False,
    later: Any = None,
    media_type: str = "",
) -> Callable[[View], View]:
    """The method's entry in the OpenAPI document.

    `answer` None: 204 without a body. `body` None: what is sent in one is refused, field by field.
    `repeat`: what is done already is answered with 200. `later`: what 202 answers while the work
    takes longer. `media_type`: of an answer that is no JSON.
    """

    def enter(view: View) -> View:
        bodiless = body is None and view.__name__.upper() in idempotency.METHODS
        if bodiless:
            _BODILESS.add(view)
        refused = refuses
        if bodiless:
            refused = [*refuses, 400]
        _NAMING[view] = getattr(body, "naming", {})
        problems = _ALWAYS | {code: _SOMETIMES[code] for code in refused}
        good = status
        if answer is None:
            good = 204
        done: Any = good
        if media_type:
            done = (good, media_type)
        responses: dict[Any, OpenApiResponse] = {done: OpenApiResponse(answer, description="Done.")}
        if repeat:
            responses[200] = OpenApiResponse(answer, description="It was done already.")
        if later is not None:
            responses[202] = OpenApiResponse(later, description="It takes longer; ask again.")
        for code, text in sorted(problems.items()):
            responses[code, MEDIA_TYPE] = OpenApiResponse(Problem, description=text)
        parameters = []
        if query is not None:
            parameters.append(query)
        if isinstance(answer, serializers.ListSerializer):
            parameters.append(page_query(type(answer.child)))
        return extend_schema(
            operation_id=name,
            tags=[tag],
            summary=summary,
            description=details or summary,
            request=body,
            parameters=parameters,
            responses=responses,
        )(view)

    return enter
