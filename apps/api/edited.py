"""What several people may edit: each answer carries an ETag, and a change with `If-Match` is done
only to what its caller has read.
"""

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar

from django.db import transaction
from django.db.models import QuerySet
from django.utils.http import parse_etags
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.endpoint import Endpoint, one
from apps.api.refusals import Changed

# What changes without anybody's edit.
_MOVES = ("engagement", "next_at", "coming")


class Edited(Endpoint):
    """A view of one thing: `rows` are locked while what was read is compared with what is there."""

    rows: ClassVar[QuerySet[Any]]
    by_key: ClassVar[str] = "id"  # the word of the address that names the thing
    column: ClassVar[str] = "uid"

    def current(self, request: Request, **words: Any) -> Any:
        """What a reader is given at this moment."""
        handler: Any = getattr(self, "get")  # noqa: B009  # of the view that inherits
        return handler(request, **words).data

    def compare_first(self, name: str) -> None:
        setattr(self, name, partial(self._if_unchanged, getattr(self, name)))

    def _if_unchanged(
        self, handler: Callable[..., Response], request: Request, **words: Any
    ) -> Response:
        with transaction.atomic():
            locked = self.rows.select_for_update(of=("self",), no_key=True)
            one(locked, **{self.column: words[self.by_key]})
            known = parse_etags(request.headers["If-Match"])
            if not _is_among(etag_of(self.current(request, **words)), known):
                raise Changed(
                    "It was changed since you read it. Read it again, then make your change."
                )
            return handler(request, **words)

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        if response.status_code != 200 or not hasattr(response, "data"):  # a replay has none
            return response
        etag = etag_of(response.data)
        response["ETag"] = etag
        known = parse_etags(request.headers.get("If-None-Match", ""))
        if request.method == "GET" and _is_among(etag, known):
            response.status_code = 304
            response.data = None
        return response


def _is_among(etag: str, known: Sequence[str]) -> bool:
    # who compresses an answer on the way makes its ETag a weak one
    return "*" in known or etag in [each.removeprefix("W/") for each in known]


def etag_of(data: Any) -> str:
    """Make the ETag of an answer: the same for the same content, whoever asks and when."""
    lasting = {name: value for name, value in data.items() if name not in _MOVES}
    text: bytes = JSONRenderer().render(lasting)
    return f'"{hashlib.sha256(text).hexdigest()[:32]}"'
