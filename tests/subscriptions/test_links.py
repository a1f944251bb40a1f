"""A link that came by mail may stop messages and begin none; staff and previews hold no link."""

import datetime as dt
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ

from apps.accounts.models import AuditEntry
from apps.accounts.permissions import Scope
from apps.followers.consent import acts
from apps.followers.consent.record import Proof
from apps.followers.models import Follower, NotificationType
from apps.followers.people.revoke_links import revoke_links
from apps.lib import tokens
from apps.notifications.messages.links import DEAD
from apps.notifications.models import Delivery
from apps.notifications.preview import Sample, preview
from tests.api.world import make_client
from tests.dashboard.pages import as_role
from tests.make import TESTER, make_follower, make_template, make_type
from tests.notifications.world import make_version
from tests.subscriptions.pages import (
    everything_stored,
    fresh_path,
    preferences_path,
    unsubscribe_path,
    visit,
)

pytestmark = pytest.mark.reported
FORM = "application/x-www-form-urlencoded"
BACK = "Subscribe again"


@pytest.fixture
def news(db: None) -> NotificationType:
    return make_type("news")


def leave(follower: Follower) -> None:
    acts.unsubscribe(follower=follower, proof=Proof("test", TESTER, timezone.now()))


# ------------------------------------------------------------------ raising contact
def test_a_forwarded_link_brings_nobody_back_but_mails_a_fresh_one(
    client: Client, anna: Follower, news: NotificationType
) -> None:
    leave(anna)
    page = visit(client, preferences_path(anna)).press(BACK)
    assert "A mail with a fresh link is on its way to a•••@example.com." in page.notice
    anna.refresh_from_db()
    assert not anna.subscribed
    [task] = [row.task for row in OrmQ.objects.all()]
    assert task["func"] == "apps.subscriptions.mail_link.send"
    assert task["kwargs"]["follower_id"] == anna.pk


def test_a_fresh_link_brings_its_reader_back(
    client: Client, anna: Follower, news: NotificationType
) -> None:
    leave(anna)
    page = visit(client, fresh_path(anna)).press(BACK)
    assert page.notice.startswith("You are subscribed again.")


def test_a_link_is_fresh_for_a_day_and_for_its_reader_only(
    client: Client, anna: Follower, chen: Follower, news: NotificationType
) -> None:
    leave(anna)
    path = fresh_path(anna)
    Delivery.objects.update(follower=chen)
    assert "fresh link" in visit(client, path).press(BACK).notice
    old = timezone.now() - dt.timedelta(days=1, minutes=1)
    Delivery.objects.update(follower=anna, created_at=old)
    assert "fresh link" in visit(client, path).press(BACK).notice


def test_who_has_no_mailbox_here_is_believed(
    client: Client, chen: Follower, news: NotificationType
) -> None:
    leave(chen)
    page = visit(client, preferences_path(chen)).press(BACK)
    assert page.notice.startswith("You are subscribed again.")


@pytest.mark.parametrize("page", ["messages/", "receipt/", "receipt/file/"])
def test_who_has_no_mailbox_here_reads_nothing_with_any_link_and_is_told_what_to_do(
    client: Client, chen: Follower, news: NotificationType, page: str
) -> None:
    path = preferences_path(chen)
    visit(client, path).flip("cell", "news:email").press("Save my choices")
    answer = visit(client, path + page)
    assert "Content-Disposition" not in answer.response
    assert "Your choices changed" not in answer.text
    assert "We know no email address of yours" in answer.text.replace("and we", "We")
    assert not answer.has("Mail me a fresh link")
    asked = client.post(f"{path}email/", {"email": "thief@example.org", "use": "instead"})
    assert (asked.status_code, chen.address_claims.count()) == (409, 0)


@pytest.mark.parametrize(
    ("page", "fields", "status"),
    [("phone", {"number": "+49 1511 2345678"}, 200), ("browsers", {"endpoint": "https://x"}, 403)],
)
def test_a_forwarded_link_adds_no_phone_and_no_browser(
    client: Client, anna: Follower, page: str, fields: dict[str, str], status: int
) -> None:
    make_type("alerts", channels=["sms", "web_push"])
    response = client.post(f"{preferences_path(anna)}{page}/", fields)
    assert response.status_code == status
    assert not anna.phone_codes.exists()
    assert anna.addresses.count() == 1
    assert visit(client, preferences_path(anna)).has("Mail me a fresh link")


# ------------------------------------------------------------------ revoking
def test_revoked_links_open_nothing_and_still_stop_messages(
    client: Client, anna: Follower, news: NotificationType
) -> None:
    old = tokens.make("preferences", {"f": str(anna.uid)})
    before = [preferences_path(anna), f"/p/preferences/{old}/", unsubscribe_path(anna, news)]
    revoke_links(follower=anna, by=TESTER, now=timezone.now())
    for path in before:
        assert client.get(path).status_code == 404
        assert "anna" not in client.get(path).content.decode()
    assert client.post(before[0], {"language": "ru", "language_was": "en"}).status_code == 404
    answer = client.post(before[2], "List-Unsubscribe=One-Click", content_type=FORM)
    assert answer.content == b"Unsubscribed.\n"
    assert anna.preferences.get().allowed is False
    person = client.post(before[2], {"what": "all"})
    assert person.status_code == 200
    assert "/p/preferences/" not in person.content.decode()
    anna.refresh_from_db()
    assert not anna.subscribed


def test_links_made_afterwards_work(client: Client, anna: Follower, boris: Follower) -> None:
    revoke_links(follower=anna, by=TESTER, now=timezone.now() - dt.timedelta(milliseconds=5))
    for path in (preferences_path(anna), fresh_path(anna), preferences_path(boris)):
        assert client.get(path).status_code == 200


def test_staff_revoke_links_on_the_followers_page(
    client: Client, editor: Any, viewer: Any, anna: Follower
) -> None:
    path = preferences_path(anna)
    button = reverse("dashboard:follower-revoke-links", args=[anna.uid])
    assert as_role(client, viewer).post(button).status_code == 403
    assert client.get(path).status_code == 200
    as_role(client, editor).post(button)
    assert client.get(path).status_code == 404
    assert AuditEntry.objects.get(kind="follower.links_revoked").actor_label == "Edgar"


def test_programs_revoke_links(client: Client, anna: Follower) -> None:
    path = preferences_path(anna)
    api = make_client(Scope.FOLLOWERS_WRITE)
    assert api.post(f"/api/v1/followers/{anna.uid}/revoke-links").status_code == 204
    assert client.get(path).status_code == 404
    assert make_client(Scope.FOLLOWERS_READ).post(
        f"/api/v1/followers/{anna.uid}/revoke-links"
    ).status_code == 403  # fmt: skip


# ------------------------------------------------------------------ staff and previews
LETTER = '<p><a href="{{ links.preferences }}">P</a> <a href="{{ links.unsubscribe }}">U</a></p>'


@pytest.mark.parametrize("role", ["viewer", "editor", "sender", "admin"])
def test_no_staff_page_holds_a_link_with_which_to_act_as_a_follower(
    client: Client, anna: Follower, news: NotificationType, request: Any, role: str
) -> None:
    version = make_version(body=LETTER)
    as_role(client, request.getfixturevalue(role))
    pages = [
        reverse("dashboard:follower", args=[anna.uid]),
        reverse("dashboard:template", args=[version.template.uid]),
    ]
    for url in pages:
        found = re.findall(r"/p/(?:preferences|unsubscribe)/([^/\"' ]+)", _text(client.get(url)))
        assert set(found) <= {DEAD.managing}, url


def _text(response: Any) -> str:
    text: str = response.content.decode()
    return text


def test_the_links_of_a_preview_belong_to_nobody_and_say_so(
    client: Client, anna: Follower, news: NotificationType
) -> None:
    sample = Sample(version=make_version(body=LETTER), notification_type=news, follower=anna)
    html = preview(sample).parts["html"]
    found = re.findall(r"/p/(\w+)/([^/\"]+)/", html)
    assert set(found) == {("preferences", DEAD.managing), ("unsubscribe", DEAD.managing)}
    before = everything_stored()
    for page in ("preferences", "unsubscribe"):
        answer = client.get(f"/p/{page}/{DEAD.managing}/")
        assert answer.status_code == 200
        assert "Here it belongs to nobody." in answer.content.decode()
    for path in ("unsubscribe/{}/", "unsubscribe/{}", "preferences/{}/undo/"):
        url = "/p/" + path.format(DEAD.managing)
        assert client.post(url, "a=1", content_type=FORM).status_code == 200
    assert everything_stored() == before


def test_a_program_that_may_read_words_gets_no_ones_link(
    anna: Follower, news: NotificationType
) -> None:
    template = make_template("letter", html=LETTER)
    api = make_client(Scope.CONTENT_READ, Scope.CONTENT_WRITE, Scope.FOLLOWERS_READ)
    answer = api.post(
        f"/api/v1/templates/{template.uid}/versions/1/preview",
        {"follower": str(anna.uid), "type": "news"},
    )
    links = re.findall(r"/p/\w+/([^/\"]+)/", answer.content.decode())
    assert set(links) <= {DEAD.managing}


def test_staff_have_the_link_mailed_to_its_owner(
    client: Client, editor: Any, anna: Follower
) -> None:
    as_role(client, editor).post(reverse("dashboard:follower-mail-link", args=[anna.uid]))
    [task] = [row.task for row in OrmQ.objects.all()]
    assert task["kwargs"]["follower_id"] == anna.pk
    nobody = make_follower(name="Dana")
    page = client.get(reverse("dashboard:follower", args=[nobody.uid])).content.decode()
    assert "Mail the preference link" not in page
