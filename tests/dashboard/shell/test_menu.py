"""Every page of the menu and every address: who may open it, at what cost,
and that nothing inline is in it.
"""

import inspect
from uuid import UUID

import pytest
from django.urls import URLPattern, reverse
from django.urls.converters import (
    IntConverter,
    PathConverter,
    SlugConverter,
    StringConverter,
    UUIDConverter,
)
from django.utils import timezone

from apps.accounts.models import Role
from apps.accounts.permissions import Capability, allowed
from apps.dashboard import urls
from apps.dashboard.shell import menu
from apps.lib.ids import uuid7
from tests.dashboard.pages import as_role, page_of
from tests.make import make_follower, make_staff

TYPES = {UUIDConverter: UUID, IntConverter: int, SlugConverter: str}
TYPES |= {StringConverter: str, PathConverter: str}
OPEN_TO_STRANGERS = {"login", "logout"}
SAMPLES = {"uuid": uuid7, "int": lambda: 1, "slug": lambda: "a", "str": lambda: "a"}


def addresses() -> list[URLPattern]:
    return [pattern for pattern in urls.urlpatterns if pattern.name not in OPEN_TO_STRANGERS]


def sample(pattern: URLPattern) -> str:
    """An address of this shape; what it names need not exist,
    because the guard stands before the look-up.
    """
    values = {}
    for name, converter in pattern.pattern.converters.items():
        kind = type(converter).__name__.removesuffix("Converter").lower()
        values[name] = SAMPLES[kind if kind in SAMPLES else "str"]()
    return reverse(f"dashboard:{pattern.name}", kwargs=values)


def guard_of(pattern: URLPattern) -> Capability | None:
    view = pattern.callback
    while view is not None:
        if hasattr(view, "capability"):
            return view.capability
        view = getattr(view, "__wrapped__", None)
    return None


@pytest.mark.parametrize("pattern", addresses(), ids=lambda pattern: pattern.name)
def test_a_view_names_the_types_of_what_its_address_carries(pattern):
    asked = inspect.signature(inspect.unwrap(pattern.callback), eval_str=True).parameters
    for name, converter in pattern.pattern.converters.items():
        assert asked[name].annotation is TYPES[type(converter)], name


@pytest.mark.parametrize("role", Role.values)
def test_every_item_of_the_menu_opens_for_whom_it_is_shown(
    client, db, role, django_assert_max_num_queries
):
    now = timezone.now()
    for number in range(5):
        make_follower(email=f"f{number}@example.com", tags=["a", f"b{number}"], now=now)
    as_role(client, make_staff("wanda", role=role))
    shown = page_of(client.get("/")).links
    for item in menu.ITEMS:
        url = reverse(item.url_name)
        assert (url in shown) == allowed(role, item.capability), item
        with django_assert_max_num_queries(25):
            answer = client.get(url)
        assert answer.status_code == (200 if allowed(role, item.capability) else 403), item
        if answer.status_code == 200:
            page = page_of(answer)
            assert not page.inline, (item, page.inline)
            assert 'aria-current="page"' in answer.content.decode(), item


@pytest.mark.parametrize("pattern", addresses(), ids=lambda pattern: pattern.name)
def test_no_address_is_open_to_a_stranger_or_to_a_role_that_may_not(client, db, pattern):
    url = sample(pattern)
    for method in (client.get, client.post):
        answer = method(url)
        # the guard stands before the question which methods there are
        assert answer.status_code == 302, answer.status_code
        assert answer["Location"].startswith("/login/")
    if (needed := guard_of(pattern)) is None:
        assert pattern.name == "password-change"  # a class of Django's, open to all staff
        return
    for role in Role.values:
        if not allowed(role, needed):
            as_role(client, make_staff(f"w-{role}", role=role))
            assert {client.get(url).status_code, client.post(url).status_code} <= {403, 405}
            client.logout()


def test_there_is_one_address_of_each_name():
    names = [pattern.name for pattern in urls.urlpatterns]
    assert sorted(set(names)) == sorted(names)


def test_operators_get_the_tables_to_look_at(client, admin, viewer):
    assert (
        as_role(client, admin).get("/admin/").status_code == 302
    )  # an administrator is no operator yet
    admin.is_staff = True
    admin.save()
    client.force_login(admin)
    for address in (
        "",
        "followers/follower/",
        "accounts/user/",
        "accounts/auditentry/",
        "notifications/delivery/",
    ):
        assert client.get(f"/admin/{address}").status_code == 200, address
    for book in (
        "followers/tag",
        "accounts/auditentry",
        "notifications/delivery",
        "notifications/tally",
        "followers/consentrecord",
    ):
        assert client.get(f"/admin/{book}/add/").status_code == 403
    viewer.is_staff = True
    viewer.save()
    assert as_role(client, viewer).get("/admin/").status_code == 302
