"""No page chooses a critical message for people, and marketing is opt-in."""

from dataclasses import replace
from typing import Any

import lxml.html
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.campaigns.models import EventRule, Recurring
from apps.followers.models import Follower, NotificationType
from apps.notifications.types.edit import BadType, TypeValues, change_type, create_type, values_of
from apps.ops.site_setup import set_up_site
from tests.dashboard.pages import as_role
from tests.dashboard.shell.test_menu import addresses, sample
from tests.make import TESTER, make_template, make_type

pytestmark = [pytest.mark.django_db, pytest.mark.reported]


@pytest.fixture
def site() -> set[str]:
    """The names and keys of what is critical on a new site, where it stands first."""
    set_up_site(by=TESTER, now=timezone.now())
    critical = NotificationType.objects.filter(category="critical")
    found = {name for pair in critical.values_list("key", "name") for name in pair}
    assert found == {
        *("security_alert", "Security alerts"),
        *("code", "One-time codes"),
        *("confirm_address", "Confirming an address"),
    }
    return found


def test_no_page_preselects_what_is_critical(
    client: Client, admin: Any, anna: Follower, site: set[str]
) -> None:
    """Walks all pages that need no row, and what would happen to a follower."""
    as_role(client, admin)
    urls = [sample(pattern) for pattern in addresses()]
    urls.append(reverse("dashboard:follower-forecast", args=[anna.uid]))
    seen = 0
    for url in urls:
        answer = client.get(url)
        if answer.status_code != 200 or "text/html" not in answer["Content-Type"]:
            continue
        page = lxml.html.fromstring(answer.content.decode() or "<p>")
        for select in page.iter("select"):
            words = {option.text_content().strip(): option for option in select.iter("option")}
            if not site & set(words):
                continue
            seen += 1
            chosen = [word for word, option in words.items() if option.get("selected") is not None]
            first = next(iter(words))
            assert not site & set(chosen or [first]), (url, select.get("name"))
    assert seen >= 3


@pytest.mark.parametrize("name", ["recurring-add", "event-rule-add"])
def test_what_goes_out_by_itself_asks_for_its_type(
    client: Client, sender: Any, site: set[str], name: str
) -> None:
    fields = {
        "name": "Weekly", "kind": "weekly", "times": "09:00", "weekdays": ["mon"],
        "zone_mode": "site", "missed": "skip", "tolerance": "15", "everyone": "on",
        "event": "order.paid", "to": "follower", "unit": "minutes", "active": "on",
        "rows-TOTAL_FORMS": "0", "rows-INITIAL_FORMS": "0",
    }  # fmt: skip
    answer = as_role(client, sender).post(reverse(f"dashboard:{name}"), fields)
    assert "This field is required." in answer.content.decode()
    assert not Recurring.objects.exists()
    assert not EventRule.objects.exists()


def test_a_new_campaign_begins_with_a_commercial_type_or_with_none(
    client: Client, editor: Any, db: None
) -> None:
    make_template("letter")
    make_type("codes", category="critical")
    page = as_role(client, editor).get(reverse("dashboard:campaign-add")).content.decode()
    assert '<option value="" selected>Choose one</option>' in page
    make_type("news")
    page = client.get(reverse("dashboard:campaign-add")).content.decode()
    assert '<option value="news" selected>News</option>' in page


# ------------------------------------------------------------------ marketing
VALUES = TypeValues(name="Offers", category="marketing", commercial=True, channels=["email"])


def test_marketing_is_off_on_a_new_site_until_somebody_switches_it_on(site: set[str]) -> None:
    assert NotificationType.objects.get(key="promotion").default_channels == []
    assert NotificationType.objects.get(key="update").default_channels == ["email", "in_app"]


def test_a_site_that_says_so_has_marketing_on_by_default(settings: Any) -> None:
    settings.MARKETING_OPT_IN = False
    set_up_site(by=TESTER, now=timezone.now())
    assert NotificationType.objects.get(key="promotion").default_channels == ["email"]
    on = replace(VALUES, default_channels=["email"])
    create_type(key="offers", values=on, by=TESTER, now=timezone.now())


def test_marketing_can_not_be_made_on_by_default() -> None:
    on = replace(VALUES, default_channels=["email"])
    with pytest.raises(BadType, match="Marketing is opt-in on this site") as refusal:
        create_type(key="offers", values=on, by=TESTER, now=timezone.now())
    assert refusal.value.field == "default_channels"


def test_a_type_does_not_become_marketing_that_is_on_by_default() -> None:
    row = make_type("news", category="informational")
    changed = replace(values_of(row), category="marketing", commercial=True)
    with pytest.raises(BadType, match="Marketing is opt-in on this site"):
        change_type(
            notification_type=row, values=changed, template=None, by=TESTER, now=timezone.now()
        )


def test_marketing_that_was_on_before_the_upgrade_can_still_be_changed() -> None:
    row = make_type("offers")
    changed = replace(values_of(row), name="Great offers")
    saved = change_type(
        notification_type=row, values=changed, template=None, by=TESTER, now=timezone.now()
    )
    assert (saved.name, saved.default_channels) == ("Great offers", ["email", "in_app"])
