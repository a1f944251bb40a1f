"""Whether a request had left as a whole when its call broke: what tells "in doubt" from "not accepted"."""

import io
from typing import Any

import requests


class Body(io.BytesIO):
    """The body of a request, which notes how much of it the connection took.

    HTTP clients ask for the next block when the kernel has taken the one before, so the empty block at the end is asked
    for only after the last byte has left. No server can accept a request of which the last byte is missing.
    """

    begun = left = False

    def read(self, size: int | None = -1, /) -> bytes:
        block = super().read(size)
        self.begun, self.left = True, self.left or not block
        return block


class Wire(requests.Session):
    """A kept connection to one provider. Doesn't follow redirects: those would show our key to somebody else."""

    def __init__(self) -> None:
        super().__init__()
        self.body = Body()
        self.auth = _as_it_is  # or requests would look for a password in ~/.netrc and put it in place of our key

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        content: Any = request.body or b""  # text or bytes: we give no files
        self.body = Body(content.encode() if isinstance(content, str) else bytes(content))
        request.body = self.body
        return super().send(request, **options | {"allow_redirects": False})


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def root_of(error: BaseException) -> str:
    """What went wrong at the bottom of a chain of exceptions, as a person would say it."""
    while deeper := error.__cause__ or error.__context__:
        error = deeper
    return f"{type(error).__name__}: {getattr(error, 'strerror', None) or error}"
