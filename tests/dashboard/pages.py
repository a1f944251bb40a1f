"""Reading a page the way a person does: what it says, its forms, its links."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from django.http import HttpResponse
from django.test import Client


@dataclass
class Page(HTMLParser):
    """Enough of a page for questions: `text`, `links`, `forms` (their actions),
    and `inline` (what CSP would stop).
    """

    text: str = ""
    links: set[str] = field(default_factory=set)
    forms: set[str] = field(default_factory=set)
    inline: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "a":
            self.links.add(values.get("href") or "")
        if tag == "form" and values.get("method") == "post":
            self.forms.add(values.get("action") or "")
        self.inline += [
            f"<{tag} {name}={value!r}>"
            for name, value in attrs
            if name == "style"
            or name.startswith(("on", "hx-on"))
            or (value or "").lower().startswith("javascript:")
        ]
        data = values.get("type") == "application/json"
        if tag in {"script", "style"} and not data and not {"src", "nonce"} & set(values):
            self.inline.append(f"<{tag}>")

    def handle_data(self, data: str) -> None:
        self.text += f" {data}"


def page_of(response: HttpResponse) -> Page:
    page = Page()
    page.feed(response.content.decode())
    page.text = " ".join(page.text.split())
    return page


def as_role(client: Client, user: Any) -> Client:
    client.force_login(user)
    return client
