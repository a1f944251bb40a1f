"""Endpoints `POST /<things>/<id>/<verb>`, by table: find the thing, do one act, answer."""

import datetime as dt
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.urls import URLPattern, path
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.permissions import Scope
from apps.api.endpoint import Endpoint, described
from apps.lib.actor import Actor

Thing = TypeVar("Thing")


def _as_given(thing: object, given: Any, view: object) -> Any:
    return given


def _anew(thing: object) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb(Generic[Thing]):
    """What can be done to a thing.

    - `do`: the act, called with the thing, who and when.
    - `answer`: the serializer that the schema shows.
    - `says`: the body of the answer, of the thing, of what the act gave, and of the view.
    - `done`: whether it was done before; a repeat is answered with 200 whatever `status` is.
    - `one_transaction`: False where the act waits for the senders to see it.
    """

    summary: str
    scope: Scope
    do: Callable[[Thing, Actor, dt.datetime], Any]
    answer: Any
    says: Callable[[Thing, Any, Endpoint], Any] = _as_given
    status: int = 200
    done: Callable[[Thing], bool] = _anew
    refuses: Sequence[int] = (404, 409)
    details: str = ""
    one_transaction: bool = True


def verb_paths(
    tag: str, find: Callable[[uuid.UUID], Thing], verbs: Mapping[str, Verb[Thing]]
) -> list[URLPattern]:
    """Paths for the verbs of a thing. `tag` is its plural, as the schema's menu has it."""
    things = tag.lower()
    found = []
    for name, verb in verbs.items():
        view = _view(tag, f"{things}_{name}", find, verb)
        found.append(path(f"{things}/<id:id>/{name}", view.as_view()))
    return found


def _view(
    tag: str, operation: str, find: Callable[[uuid.UUID], Thing], verb: Verb[Thing]
) -> type[Endpoint]:
    class OneVerb(Endpoint):
        """One act on one thing."""

        scopes = {"POST": verb.scope}
        one_transaction = verb.one_transaction

        @described(
            tag,
            operation,
            verb.summary,
            answer=verb.answer,
            status=verb.status,
            repeat=verb.status != 200,
            refuses=verb.refuses,
            details=verb.details,
        )
        def post(self, request: Request, id: uuid.UUID) -> Response:
            thing = find(id)
            status = verb.status
            if verb.done(thing):
                status = 200
            given = verb.do(thing, self.by, self.now)
            return Response(verb.says(thing, given, self), status=status)

    return OneVerb
