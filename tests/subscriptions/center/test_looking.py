"""Scanners open every link of every mail, in every way: nothing may change by looking."""

from itertools import cycle
from typing import Any
from urllib.parse import quote, unquote

import pytest
from django.test import Client
from django.urls import get_resolver, reverse
from django.utils import timezone

from apps.followers.consent.record import Proof
from apps.followers.models import Follower
from apps.followers.people import address_claims, further_addresses
from apps.followers.privacy.copies import ask_for_copy
from apps.lib import tokens
from apps.lib.actor import Actor, ActorKind
from apps.notifications.accounts import edit
from apps.notifications.messages import links
from apps.notifications.models import ProviderAccount
from apps.subscriptions import new_way, urls
from apps.subscriptions.claims.mail import link
from apps.subscriptions.privacy.copy import PURPOSE
from tests.make import TESTER, make_type
from tests.subscriptions.pages import everything_stored, preferences_path, visit
from tests.subscriptions.reading.world import delivery_to, make_letter, make_public, view_path
from tests.subscriptions.sign_up.world import asked, make_form
from tests.subscriptions.world import make_warning, way_back

AGENTS = (
    "GoogleImageProxy",
    "Mozilla/5.0 (compatible; Barracuda Sentinel)",
    "Mimecast-Link-Scanner",
    "ProofPoint URL Defense",
    "SafeLinks/1.0",
    "facebookexternalhit/1.1",
    "Slackbot-LinkExpanding 1.0",
    "curl/8.5.0",
    "",
)


def make_sms_account() -> ProviderAccount:
    values = {"account_sid": "AC1", "auth_token": "secret", "sender": "+4915112345678"}
    return edit.create_account(
        enabled=True,
        name="Texts",
        provider_key="twilio",
        settings=values,
        by=TESTER,
        now=timezone.now(),
    )


def make_esp_events_token() -> str:
    values = {"server_token": "secret", "from_address": "news@example.com"}
    account = edit.create_account(
        name="Post", provider_key="postmark", settings=values, by=TESTER, now=timezone.now()
    )
    return links.events_url(account.uid, password=False).rstrip("/").rpartition("/")[2]


def paths_of(follower: Follower) -> list[str]:
    """Every public address, filled in for the follower; a new one without a rule here fails."""
    make_letter(make_type("letters"), [follower])
    claim = address_claims.ask(
        follower=follower, value="other@example.com", primary=True, now=timezone.now()
    )
    for_token = {
        "archive": str(make_public().uid),
        "view": view_path(delivery_to(follower)).split("/")[3],
        "preferences": tokens.make("preferences", {"f": str(follower.uid)}),
        "unsubscribe": tokens.make("unsubscribe", {"f": str(follower.uid), "t": "news"}),
        "sms": str(make_sms_account().uid),
        "copy": copy_path(follower).split("/")[3],
        "events": make_esp_events_token(),
        "join": make_form().key,
        "address": link(claim).rstrip("/").rpartition("/")[2],
        "confirm": tokens.make("confirm", {"f": str(follower.uid)}),
    }
    asked(Client(), email="anna@example.com")  # a sign-up to confirm
    paths = []
    for pattern in urls.urlpatterns:
        if pattern.name is None:  # the same without the slash at the end
            continue
        route = str(pattern.pattern)
        args = []
        if "<" in route:
            args = [for_token[route.split("/")[0]]]
        if pattern.name == "email-back":  # a link of one mail alone
            paths.append(lost_path(follower))
            continue
        paths.append(reverse(f"subscriptions:{pattern.name}", args=args))
    return paths


def copy_path(follower: Follower) -> str:
    """Where somebody's copy of their data waits."""
    by = Actor(ActorKind.FOLLOWER, str(follower.uid))
    copy = ask_for_copy(follower=follower, by=by, now=timezone.now())
    return f"/p/copy/{tokens.make(PURPOSE, str(copy.uid))}/"


def lost_path(follower: Follower) -> str:
    """The way back to an address in whose place another was put."""
    make_warning()
    now = timezone.now()
    said = Proof("test", TESTER, now)
    new_way.tell(follower, "email", "", replaced=True, proof=said)
    lost = follower.addresses.get(channel="email", primary=True)
    further_addresses.create_address(
        follower=follower, channel="email", value="thief@example.com", primary=True,
        by=TESTER, now=now,
    )  # fmt: skip
    return way_back(lost)


@pytest.mark.parametrize("method", ["get", "head", "options"])
def test_looking_at_any_public_address_changes_nothing(
    client: Client, anna: Follower, method: str
) -> None:
    make_type("news")
    paths = paths_of(anna)
    saved = (
        visit(client, preferences_path(anna)).flip("cell", "news:email").press("Save my choices")
    )
    paths.append(saved.url)  # the page that offers to undo
    before = everything_stored()
    for path in paths:
        spellings = (
            path,
            quote(unquote(path), safe="/:?=&"),
            path.replace(":", "%3A"),
            f"{path}?what=all",
        )
        for agent, spelling in zip(AGENTS, cycle(spellings), strict=False):
            body: dict[str, Any] = {}
            if method == "get":
                body = {"List-Unsubscribe": "One-Click", "what": "all"}
            response = getattr(client, method)(
                spelling, body or None, headers={"user-agent": agent}
            )
            assert response.status_code in (200, 405), spelling
            assert not response.cookies
            if response.status_code == 405:
                break  # no page, for nobody
    assert everything_stored() == before


def test_links_with_encoded_colons_work(client: Client, anna: Follower) -> None:
    make_type("news")
    assert client.get(preferences_path(anna).replace(":", "%3A")).status_code == 200


def test_all_public_addresses_are_known_to_this_test(anna: Follower) -> None:
    known = {
        name
        for name in get_resolver().namespace_dict["subscriptions"][1].reverse_dict
        if isinstance(name, str)
    }
    assert len(paths_of(anna)) == len(known)


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_other_methods_are_refused(client: Client, anna: Follower, method: str) -> None:
    paths = paths_of(anna)
    before = everything_stored()
    assert {getattr(client, method)(path).status_code for path in paths} == {405}
    assert everything_stored() == before
