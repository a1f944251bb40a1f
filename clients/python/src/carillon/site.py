"""Calls of a site: what is asked, tried again where that is safe, and what is refused."""

import json
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

TRIES = 3
LATER = (429, 503)  # statuses that say: ask again
LONGEST_PAUSE = 30.0  # seconds
_NEXT = re.compile(r'<([^<>]*)>;\s*rel="next"')


class CarillonError(Exception):
    """A call that did not succeed; the text says why."""


class NotReached(CarillonError):
    """The site did not answer."""


class Refused(CarillonError):
    """The site answered, and said no.

    `errors` has the fields that it is about, by name, with a sentence each.
    """

    def __init__(self, status: int, detail: str, errors: Mapping[str, str]) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = dict(errors)


@dataclass(frozen=True, slots=True)
class Site:
    """A site and the key that opens its API."""

    address: str
    api_key: str
    timeout: float = 30.0  # seconds

    def get(self, path: str) -> Any:
        return self._answer("GET", self.address + path, None)[0]

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._answer("POST", self.address + path, json.dumps(body).encode())[0]

    def each(self, path: str, query: Mapping[str, str]) -> Iterator[Any]:
        """Everything in a list, page by page."""
        address = self.address + path
        if query:
            address += f"?{urlencode(query)}"
        while address:
            rows, address = self._answer("GET", address, None)
            yield from rows

    def _answer(self, method: str, address: str, body: bytes | None) -> tuple[Any, str]:
        """What the site said, and the address of the next page or "".

        A write carries a key of its own, so that the site does it once, however often it is asked.
        """
        headers = {"Authorization": f"Bearer {self.api_key}", "Accept": "application/json"}
        if body is not None:
            headers |= {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
        request = Request(address, body, headers, method=method)  # noqa: S310  # the caller's own
        for attempt in range(1, TRIES + 1):
            try:
                with urlopen(request, timeout=self.timeout) as answer:  # noqa: S310
                    found = _NEXT.search(answer.headers.get("Link", ""))
                    following = ""
                    if found:
                        following = found[1]
                    return json.load(answer), following
            except HTTPError as error:
                if error.code not in LATER or attempt == TRIES:
                    raise _refusal(error) from error
                time.sleep(_pause(error, attempt))
            except (OSError, HTTPException) as error:
                if attempt == TRIES:
                    raise NotReached(f"{self.address} does not answer: {error}") from error
                time.sleep(attempt)
            except ValueError as error:
                raise NotReached(f"{address} does not answer as a Carillon site does.") from error
        raise AssertionError  # the last try returns or raises


def _pause(error: HTTPError, attempt: int) -> float:
    wanted = error.headers.get("Retry-After", "")
    if wanted.isdecimal():
        return min(float(wanted), LONGEST_PAUSE)
    return float(attempt)


def _refusal(error: HTTPError) -> Refused:
    try:
        said = json.load(error)
        detail = str(said["detail"])
        errors = {each["field"]: each["detail"] for each in said.get("errors", [])}
    except (ValueError, KeyError, TypeError):
        return Refused(error.code, f"The site answered {error.code} {error.reason}.", {})
    return Refused(error.code, detail, errors)
