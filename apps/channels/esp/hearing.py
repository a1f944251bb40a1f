"""How each ESP proves that it was the one who posted, and how its events are read.

Who reads is anymail's view of the ESP: its tables of words, without its own look at settings and
passwords, which hold for a whole site, and ours for one account.
"""

import base64
import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from apps.channels.contract import Setting
from apps.channels.esp.told import Handshake, MailEvent, Unreadable
from apps.channels.https.posted import Forged, Posted

log = logging.getLogger("carillon.answers")

# what a reader of others' JSON meets where it has another form than it had until now
ODD = (AttributeError, KeyError, TypeError, ValueError, IndexError)
Knows = Callable[[str], bool]  # whether that is the password of the account's address


class Hearing(ABC):
    """One ESP's way to tell us what became of mails."""

    settings: ClassVar[tuple[Setting, ...]] = ()  # what the proof needs
    paste: ClassVar[str]  # where people put our address, and what to choose there; declared
    password: ClassVar[bool] = False  # the address holds a password, for the ESP signs nothing

    @abstractmethod
    def check(self, settings: Mapping[str, Any], posted: Posted, *, knows: Knows) -> None:
        """Raises Forged where nothing proves who posted, Unreadable."""

    @abstractmethod
    def events(self, posted: Posted) -> Iterator[dict[str, Any]]:
        """Yield the events of a request that was proven. Raises Unreadable."""

    @abstractmethod
    def told(self, event: dict[str, Any]) -> list[MailEvent]:
        """Say what an event tells. May raise what is in ODD."""

    def handshake(self, posted: Posted) -> Handshake | None:
        """Return what the ESP wants to be answered before it posts anything."""
        return None

    def heard(
        self, settings: Mapping[str, Any], posted: Posted, *, knows: Knows
    ) -> list[MailEvent] | Handshake:
        """Read what an ESP posted. Raises Forged, Unreadable.

        An event that can't be read is left out and logged: those beside it count.
        """
        self.check(settings, posted, knows=knows)
        if asked := self.handshake(posted):
            return asked
        found: list[MailEvent] = []
        for event in self.events(posted):
            try:
                found += self.told(event)
            except ODD as error:
                log.warning("An event could not be read (%s): %s", type(self).__name__, error)
        return found


def reader(view: Any) -> Any:
    """Make anymail's view without its constructor, which asks the site's settings for keys."""
    return view.__new__(view)


def json_of(posted: Posted) -> Any:
    """Read the body. Raises Unreadable."""
    try:
        return json.loads(posted.body)
    except (ValueError, RecursionError) as error:
        raise Unreadable("Its body is no JSON.") from error


def objects(found: Any) -> Iterator[dict[str, Any]]:
    """Yield the objects of a list, or the one that came alone. Raises Unreadable."""
    if isinstance(found, dict):
        found = [found]
    if not isinstance(found, list):
        raise Unreadable("Its body is no list of events.")
    for each in found:
        if not isinstance(each, dict):
            raise Unreadable("Its body is no list of events.")
        yield each


def check_password(posted: Posted, knows: Knows) -> None:
    """Ask for the password in an `Authorization` of either kind. Raises Forged."""
    given = posted.headers.get("Authorization") or ""
    kind, _, rest = given.strip().partition(" ")
    said = rest.strip()
    if kind.lower() == "basic":
        try:
            said = base64.b64decode(said, validate=True).decode("utf-8", "replace")
        except ValueError:
            said = ""
        said = said.partition(":")[2]
    if not knows(said):
        raise Forged("Its password is missing or wrong. Copy the address from the account's page.")
