"""The service: people follow, messages are written and sent, and each delivery is known."""

from collections.abc import Iterable
from typing import Any, Literal
from urllib.parse import quote

from carillon.results import Delivery, Follower, Message
from carillon.site import Site

INTRODUCTION = "cloudmind_introduction"


class NotificationService:
    """A Carillon site, asked through its API.

    Each method makes one call, and raises Refused when the site says no, NotReached when it does
    not answer. Lists are read to their end.
    """

    def __init__(self, address: str, api_key: str, *, timeout: float = 30.0) -> None:
        self._site = Site(address.rstrip("/"), api_key, timeout)

    # ---- followers
    def add_follower(self, email: str, name: str = "", tags: Iterable[str] = ()) -> Follower:
        """Add somebody who agreed to be written to. Tags are made when missing."""
        body = {"email": email, "name": name, "tags": list(tags)}
        return Follower.read(self._site.post("/followers", body))

    def get_followers(
        self, tags: Iterable[str] = (), *, subscribed: bool | None = None
    ) -> list[Follower]:
        """Find followers, newest first: those with one of the tags, or all."""
        query = {}
        if names := list(tags):
            query["tags"] = ",".join(names)
        if subscribed is not None:
            query["subscribed"] = str(subscribed).lower()
        return [Follower.read(each) for each in self._site.each("/followers", query)]

    def get_follower(self, follower_id: str) -> Follower:
        return Follower.read(self._site.get(f"/followers/{_part(follower_id)}"))

    def unsubscribe(self, follower_id: str, reason: str = "") -> Follower:
        """Unsubscribe somebody from everything commercial. Safe to repeat."""
        path = f"/followers/{_part(follower_id)}/unsubscribe"
        return Follower.read(self._site.post(path, {"reason": reason}))

    # ---- messages
    def create_message(self, title: str, content: str, type: str = "") -> Message:
        """Write a message, in HTML or plain text; nothing is sent yet.

        `type` is the key of a message type; "" is the first commercial one.
        """
        return self._create({"title": title, "content": content}, type)

    def create_cloudmind_message(
        self, language: Literal["ru", "en"] = "en", type: str = ""
    ) -> Message:
        """Make the introduction of CloudMind AI from the stock template; nothing is sent yet."""
        return self._create({"template": INTRODUCTION, "language": language}, type)

    def get_messages(self, status: str = "") -> list[Message]:
        """Find messages, newest first; those in one state, such as "draft" or "sent", or all."""
        query = {}
        if status:
            query["status"] = status
        return [Message.read(each) for each in self._site.each("/messages", query)]

    def send_message(self, message_id: str, tags: Iterable[str] = ()) -> Message:
        """Send a message to those with one of the tags, or to everyone.

        It comes back at once, and the work goes on in the background. Safe to repeat.
        """
        path = f"/messages/{_part(message_id)}/send"
        return Message.read(self._site.post(path, {"tags": list(tags)}))

    def get_deliveries(self, message_id: str) -> list[Delivery]:
        """Say what became of a message, person by person."""
        path = f"/messages/{_part(message_id)}/deliveries"
        return [Delivery.read(each) for each in self._site.each(path, {})]

    def get_delivery_records(self, message_id: str) -> list[Delivery]:
        """`get_deliveries`, by its first name."""
        return self.get_deliveries(message_id)

    def _create(self, body: dict[str, Any], type: str) -> Message:
        if type:
            body = body | {"type": type}
        return Message.read(self._site.post("/messages", body))


def _part(id: str) -> str:
    return quote(str(id), safe="")
