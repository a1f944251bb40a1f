"""A browser without JavaScript: reads a page's forms, moves switches, presses a button."""

from typing import Any

import lxml.html
from django.apps import apps
from django.test import Client
from django.utils import timezone

from apps.content.drafts import published_version
from apps.content.models import Template
from apps.followers.models import Follower, NotificationType
from apps.notifications.messages.links import preferences_url, stamp, unsubscribe_url
from apps.notifications.models import Delivery, Notification
from tests.make import make_template


class Page:
    """One answer. `follow` is what pressing a button leads to."""

    def __init__(self, client: Client, url: str, response: Any) -> None:
        self.client = client
        self.url = url
        self.response = response
        self.html = lxml.html.fromstring(
            response.content.decode(), base_url=f"http://testserver{url}"
        )

    @property
    def text(self) -> str:
        return " ".join(self.html.text_content().split())

    @property
    def notice(self) -> str:
        said = self.html.xpath("//*[@role='status' or @role='alert']")
        return " ".join(" ".join(each.text_content().split()) for each in said)

    def form(self, button: str) -> Any:
        for form in self.html.forms:
            if any(each.text_content().strip() == button for each in form.iter("button")):
                return form
        raise AssertionError(f"No form with a button {button!r} on {self.url}")

    def has(self, button: str) -> bool:
        return any(each.text_content().strip() == button for each in self.html.iter("button"))

    def switch(self, name: str, value: str) -> Any:
        return next(
            each
            for each in self.html.iter("input")
            if each.get("name") == name and each.get("value") == value
        )

    def flip(self, name: str, value: str) -> "Page":
        found = self.switch(name, value)
        found.checked = not found.checked
        return self

    def choose(self, name: str, value: str) -> "Page":
        select = next(each for each in self.html.iter("select") if each.get("name") == name)
        select.value = value
        return self

    def press(self, button: str, **fields: str) -> "Page":
        form = self.form(button)
        data: dict[str, list[str]] = {}
        for name, value in [*form.form_values(), *fields.items()]:
            data.setdefault(name, []).append(value)
        data |= {name: [value] for name, value in fields.items()}
        path = (form.get("action") or self.url).split("?")[0]
        response = self.client.post(path, data)
        if response.status_code == 303:
            return visit(self.client, response["Location"])
        return Page(self.client, path, response)


def visit(client: Client, url: str) -> Page:
    return Page(client, url, client.get(url))


def preferences_path(follower: Follower) -> str:
    return _path(preferences_url(follower))


def fresh_path(follower: Follower) -> str:
    """The link of a mail that the follower asked for just now."""
    kind, _ = NotificationType.objects.get_or_create(
        key="preference_link",
        defaults={"name": "Link", "channels": ["email"], "listed": False},
    )
    template = Template.objects.filter(key="preference_link").first()
    version = published_version(template or make_template("preference_link"))
    assert version
    now = timezone.now()
    notification = Notification.objects.create(
        notification_type=kind, version=version, source="public_page", lane="transactional",
        state="done", created_at=now, send_at=now,
    )  # fmt: skip
    delivery = Delivery.objects.create(
        notification=notification, follower=follower, channel="email", status="sent",
        due_at=now, created_at=now, finished_at=now,
    )  # fmt: skip
    token = stamp(
        delivery=delivery.uid, follower=follower.uid, notification_type=kind.pk, version=0
    ).managing
    return f"/p/preferences/{token}/"


def unsubscribe_path(follower: Follower, kind: Any) -> str:
    return _path(unsubscribe_url(follower, kind))


def _path(url: str) -> str:
    return "/p/" + url.partition("/p/")[2]


def everything_stored() -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables."""
    return {
        model._meta.label: list(model._default_manager.order_by("pk").values())
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed
    }
