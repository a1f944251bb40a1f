"""Staff pages in Chromium: no accessibility fault (WCAG 2.2 AA),
nothing the policy refuses, nothing too wide.
"""

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser

from apps.accounts.models import User
from apps.campaigns import lifecycle
from apps.campaigns.events import rules, run_rules, store
from apps.campaigns.events.rules import RuleValues
from apps.campaigns.models import Campaign
from apps.campaigns.recurring import edit, occurrences
from apps.campaigns.recurring.edit import RecurringValues
from apps.channels.esp.told import MailEvent, What
from apps.dashboard.shell import menu
from apps.followers.devices import webhooks
from apps.followers.models import Export, Follower, NotificationType
from apps.followers.privacy.copies import ask_for_copy
from apps.notifications.accounts import dkim_keys, doctor
from apps.notifications.accounts.edit import create_account
from apps.notifications.engagement import store as engagement_store
from apps.notifications.models import (
    BounceMailbox,
    DomainReport,
    Examination,
    ProviderAccount,
    TypeTemplate,
)
from apps.notifications.sending.heard import mailbox
from apps.notifications.sending.heard import store as heard
from tests import looks
from tests.campaigns.drafts import make_campaign, plan
from tests.channels.doctor.test_examine import found_in
from tests.make import TESTER, make_template, make_type
from tests.notifications.world import drain
from tests.receiver import Receiver
from tests.subscriptions.sign_up.world import asked, make_form

pytestmark = [pytest.mark.browser, pytest.mark.looks, pytest.mark.django_db(transaction=True)]

AGENT = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
LINKS = "".join(
    f'<p><a href="https://example.com/{path}">Read on</a></p>'
    for path in ("a", "b?" + "x=1&amp;" * 30, "c")
)
LINKED = {
    "translations": {
        "en": {
            "email": {"subject": "News", "html": f"<p>Hello</p>{LINKS}"},
            "in_app": {"title": "News", "body": "All"},
        }
    }
}


@pytest.fixture
def pages(
    live_server: Any, receiver: Receiver, anna: Follower, boris: Follower, admin: User
) -> dict[str, str]:
    """Paths of pages with something on them, by name."""
    kind = make_type("news")
    draft, sent = (
        make_campaign(name, notification_type=kind, **LINKED) for name in ("A draft", "A sent one")
    )
    run = lifecycle.send_now(campaign=sent, by=TESTER, now=timezone.now())
    plan(run)
    drain()
    mail = run.notification.deliveries.get(channel="email", follower=anna)
    webhooks.create_webhook(
        follower=anna, url=f"https://example.com/{'x' * 120}", by=TESTER, now=timezone.now()
    )
    engagement_store.store(
        [engagement_store.Event(mail.uid, link, timezone.now(), AGENT) for link in (0, 0, 1, 1, 2)]
    )
    assert Campaign.objects.get(pk=sent.pk).state == "sent"
    form = make_form(approval=True)
    asked(Client(), email="ida@example.com", first_name="Ida", city="x" * 60)
    found = {item.label: reverse(item.url_name) for item in menu.ITEMS}
    found |= {f"compose: {step}": reverse(f"dashboard:campaign-{step}", args=[draft.uid])
              for step in ("content", "audience", "schedule", "review")}  # fmt: skip
    found |= {
        "campaign": reverse("dashboard:campaign", args=[sent.uid]),
        "notification": reverse("dashboard:notification", args=[run.notification.uid]),
        "results": reverse("dashboard:results-of", args=[run.notification.uid]),
        "follower": reverse("dashboard:follower", args=[anna.uid]),
        "forecast": reverse("dashboard:follower-forecast", args=[anna.uid])
        + "?type=news&channel=email",
        "follower, all of them": reverse("dashboard:follower-copy", args=[anna.uid]),
        "follower, merged": reverse("dashboard:follower-merge", args=[anna.uid])
        + "?q=boris@example.com",
        "follower, erased": reverse("dashboard:follower-erase", args=[anna.uid]),
        "delivery": reverse("dashboard:delivery", args=[mail.uid]),
        "sign-up form": reverse("dashboard:sign-up-form", args=[form.key]),
        "sign-up form, edited": reverse("dashboard:sign-up-form-edit", args=[form.key]),
    }
    ready = ask_for_copy(follower=anna, by=TESTER, now=timezone.now())
    Export.objects.filter(pk=ready.pk).update(state="ready")
    found["scheduled exports"] = reverse("dashboard:export-schedules")
    found["scheduled export, edited"] = reverse("dashboard:export-schedule-add")
    found["doctor"] = _doctor()
    found["bounce rule"] = reverse("dashboard:bounce-rule")
    found["bounce mailbox"] = _bounce_mailbox()
    found["account of an ESP"] = _esp()
    return found | _happening(anna, kind)


def _doctor() -> str:
    """The doctor's page with something wrong of each kind, and a key that waits."""
    account = ProviderAccount.objects.get(channel="email")
    Examination.objects.create(
        account=account,
        at=timezone.now(),
        findings=[each.as_json() for each in found_in({"shop.example": ["SERVFAIL"]})],
    )
    dkim_keys.make_key(account=account, by=TESTER, now=timezone.now())
    DomainReport.objects.create(
        sort="dmarc",
        domain=doctor.way_out(account).domain,
        name="r1",
        begin=timezone.now(),
        end=timezone.now(),
        passed=0,
        failed=9,
        rows=[{"ip": "2001:db8::9", "count": 9, "dkim": False, "spf": False, "done": "reject"}],
    )
    return reverse("dashboard:channel-account-doctor", args=[account.uid])


def _bounce_mailbox() -> str:
    """The page of a mailbox that can't be read."""
    values = {"host": "imap.example.com", "username": "bounces", "password": "secret"}
    mailbox.set_mailbox(settings=values, enabled=True, by=TESTER, now=timezone.now())
    BounceMailbox.objects.update(error="x" * 200, read_at=timezone.now(), mails=1234, booked=12)
    return reverse("dashboard:bounce-mailbox")


def _esp() -> str:
    """The page of an account whose ESP told something."""
    now = timezone.now()
    values = {"server_token": "secret", "from_address": "news@example.com"}
    account = create_account(
        name="Post", provider_key="postmark", settings=values, by=TESTER, now=now
    )
    told = MailEvent(What.COMPLAINED, "complained:1")
    heard.keep(account=account, told=[told], now=now)
    return reverse("dashboard:channel-account", args=[account.uid])


def _happening(anna: Follower, kind: NotificationType) -> dict[str, str]:
    """An event that a rule answered, and something that recurs and was sent."""
    now = timezone.now()
    TypeTemplate.objects.create(notification_type=kind, template=make_template("paid"))
    asked = {"all": [{"field": "data.total", "op": "greater", "value": 100}]}
    values = RuleValues(name="A rule", event="order.*", notification_type=kind, conditions=asked)
    rule = rules.create_rule(values=values, by=TESTER, now=now)
    data = {"total": 120, "items": [{"sku": "lamp", "note": "x" * 120}]}
    [(event, _)] = store.record(events=[store.NewEvent("order.paid", anna, data)], now=now)
    run_rules.work_off()
    cadence = {"kind": "daily", "times": ["09:00"]}
    everyone = {"everyone": True}
    again = RecurringValues(
        name="Each day", notification_type=kind, audience=everyone, cadence=cadence, missed="once"
    )
    row = edit.create_recurring(values=again, by=TESTER, now=now - dt.timedelta(days=2))
    occurrences.start_due(now=now)
    assert row.occurrences.count() == event.outcomes.count() == 1
    return {
        "event": reverse("dashboard:event", args=[event.uid]),
        "rule": reverse("dashboard:event-rule", args=[rule.uid]),
        "recurring one": reverse("dashboard:recurring-one", args=[row.uid]),
        "recurring, edited": reverse("dashboard:recurring-edit", args=[row.uid]),
    }


@pytest.mark.parametrize("language", ["en", "ru"])
def test_no_staff_page_has_a_fault(
    browser: Browser, live_server: Any, admin: User, pages: dict[str, str], language: str
) -> None:
    faults = {}
    with looks.watched(browser, base_url=live_server.url, locale=language) as page:
        looks.log_in(page, live_server.url, admin)
        for (name, path), round_ in zip(pages.items(), looks.rounds(), strict=False):
            looks.wear(page, round_[0])
            response = page.goto(path)
            assert response is not None
            assert response.status == 200, name
            assert page.get_attribute("html", "lang") == language
            if found := looks.faults_in(page, round_):
                faults[name] = found
    assert faults == {}
