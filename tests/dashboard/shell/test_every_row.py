"""Every page opens, whichever column that may be empty is."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, transaction
from django.db.models import Field, Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import NoReverseMatch, get_resolver, reverse
from django.utils import timezone

from apps.accounts import keys
from apps.accounts.models import User
from apps.campaigns.models import Recurring
from apps.followers.models import Address, Channel, Follower, Import
from apps.ops.demo import world
from tests.make import TESTER, make_type

pytestmark = [pytest.mark.django_db, pytest.mark.reported]
MODELS = [model for model in apps.get_models() if model.__module__.startswith("apps.")]
LANGUAGE = {"default_language": "en", "language": "en"}
# Pages that a state of a thing does not have lead elsewhere, or are not found.
FINE = {200, 302, 404, 405, 409}
LEAST = 100  # looks at a page, so that the choice of pages has not lost them


def pages() -> Iterator[tuple[str, tuple[str, ...]]]:
    """The name of each page, and of what stands in its address."""
    for pattern in get_resolver("apps.dashboard.urls").url_patterns:
        yield f"dashboard:{pattern.name}", tuple(pattern.pattern.converters)


class Page(NamedTuple):
    """A page's address, and all that its questions to the database said."""

    path: str
    asked: str

    def reads(self, model: type[Model]) -> bool:
        return model._meta.db_table in self.asked


def opened(client: Client, path: str) -> Page:
    """The page as things stand, which is fine."""
    with CaptureQueriesContext(connection) as queries:
        status = client.get(path).status_code
    assert status in FINE, path
    return Page(path, "".join(query["sql"] for query in queries.captured_queries))


def lists(client: Client) -> list[Page]:
    """Pages of no row."""
    return [opened(client, address(name, {})) for name, parts in pages() if not parts]


def pages_of(client: Client, row: Model) -> list[Page]:
    """Pages with the row in their address, and those of other things with its number there."""
    found = []
    for name, parts in pages():
        named = {part: getattr(row, part, None) for part in parts}
        if len(parts) == 1 and all(named.values()):
            found.append(opened(client, address(name, named)))
    return found


def may_be_missing(row: Model, field: Field) -> bool:
    return field.null and getattr(row, field.attname) is not None


def address(name: str, named: dict[str, Any]) -> str:
    try:
        return reverse(name, kwargs=named)
    except NoReverseMatch:  # of something else
        return "/no/such/page/"


@pytest.fixture
def reader(client: Client, admin: User) -> Client:
    client.raise_request_exception = False
    client.force_login(admin)
    return client


def test_a_key_without_a_maker_and_a_browser_without_a_name_have_their_pages(
    reader: Client, anna: Follower
) -> None:
    keys.issue(name="Shop", scopes=["followers:read"], by=TESTER, now=timezone.now())
    Address.objects.create(
        follower=anna,
        channel=Channel.WEB_PUSH,
        value="https://push.test/1",
        key="https://push.test/1",
        primary=False,
        details={"keys": {}},
        created_at=timezone.now(),
    )
    assert "a command" in reader.get("/api-keys/").content.decode()
    assert reader.get(f"/followers/{anna.uid}/").status_code == 200


def test_every_page_opens_when_one_thing_is_missing(
    reader: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    User.objects.all().delete()
    monkeypatch.setattr(world, "FOLLOWERS", 20)
    world.make_demo_world(now=timezone.now())
    reader.force_login(User.objects.get(username="admin"))
    everywhere = lists(reader)
    found = []
    looked = 0
    for model in MODELS:
        row = model._default_manager.order_by("-pk").first()
        fields = []
        if row is not None:
            fields = [field for field in model._meta.concrete_fields if may_be_missing(row, field)]
        if not fields:
            continue
        # Whatever is missing in a row changes only those pages that read its table.
        near = [page for page in [*everywhere, *pages_of(reader, row)] if page.reads(model)]
        for field in fields:
            with transaction.atomic():
                try:
                    with transaction.atomic():
                        model._default_manager.filter(pk=row.pk).update(**{field.name: None})
                except IntegrityError:
                    continue
                for page in near:
                    status = reader.get(page.path).status_code
                    looked += 1
                    if status not in FINE:
                        found.append(f"{field}: {status} {page.path}")
                transaction.set_rollback(True)
    assert found == []
    assert looked > LEAST


def test_no_import_and_no_recurrence_is_stored_without_what_its_pages_read() -> None:
    """Their pages could not show an empty dialect or cadence, which no act writes."""
    now = timezone.now()
    with pytest.raises(IntegrityError, match="dialect"), transaction.atomic():
        Import.objects.create(file_name="a.csv", path="a", by_kind="command", created_at=now)
    kind = make_type("news")
    with pytest.raises(IntegrityError, match="cadence"), transaction.atomic():
        Recurring.objects.create(
            name="May", notification_type=kind, zone_mode="site", created_at=now, updated_at=now
        )
