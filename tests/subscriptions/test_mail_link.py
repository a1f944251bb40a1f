""" "Mail me my link" answers everybody the same and writes to the owner of the mailbox only."""

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django_q.models import OrmQ

from apps.content import stock
from apps.content.drafts import published_version
from apps.followers.models import Follower
from apps.notifications.messages.links import DEAD
from apps.notifications.models import Delivery, TypeTemplate
from apps.notifications.preview import Sample, preview
from apps.subscriptions.mail_link import send
from tests.make import TESTER, make_template, make_type
from tests.subscriptions.pages import visit

NOW = dt.datetime(2026, 5, 4, 12, 0, tzinfo=dt.UTC)


@pytest.fixture
def link_type(db: None) -> Any:
    kind = make_type(
        "preference_link", category="informational", channels=["email"], default_channels=["email"]
    )
    TypeTemplate.objects.create(
        notification_type=kind,
        template=make_template("preference_link", html="<p>{{ links.preferences }}</p>"),
    )
    return kind


def tasks() -> list[dict[str, Any]]:
    return [row.task["kwargs"] for row in OrmQ.objects.order_by("pk")]


def test_everybody_gets_the_same_answer(
    client: Client, anna: Follower, chen: Follower, link_type: Any
) -> None:
    answers = {
        (response.status_code, response.content)
        for email in ("anna@example.com", "Anna@EXAMPLE.com", "nobody@example.com")
        for response in [client.post("/p/link/", {"email": email})]
    }
    assert len(answers) == 1
    # and the same work: a task each, which finds nobody for the last one
    assert [each["follower_id"] for each in tasks()] == [anna.pk, anna.pk, 0]


def test_an_address_that_is_none_is_refused_with_help(client: Client, link_type: Any) -> None:
    page = visit(client, "/p/link/").press("Mail me my link", email="anna@")
    assert page.response.status_code == 400
    assert "It needs an @, such as name@example.com." in page.notice
    field = next(each for each in page.html.iter("input") if each.get("name") == "email")
    assert (field.get("aria-invalid"), field.get("aria-describedby")) == ("true", "id_email_error")
    assert visit(client, "/p/link/").press("Mail me my link").response.status_code == 400
    assert tasks() == []


def test_the_mail_goes_out_through_the_usual_books_and_carries_the_link(
    anna: Follower, link_type: Any
) -> None:
    assert send(follower_id=anna.pk, now=NOW)
    delivery = Delivery.objects.get()
    assert (delivery.follower, delivery.channel, delivery.status) == (anna, "email", "pending")
    assert delivery.notification.source == "public_page"
    mail = preview(
        Sample(version=delivery.notification.version, notification_type=link_type, follower=anna)
    )
    assert "/p/preferences/" in mail.parts["html"]


@pytest.mark.parametrize(
    ("language", "subject"), [("en", "Your link to"), ("ru", "Ссылка на ваши настройки")]
)
def test_the_stock_words_carry_the_link_in_both_languages(
    anna: Follower, language: str, subject: str
) -> None:
    template = next(
        each for each in stock.install(by=TESTER, now=NOW) if each.key == "preference_link"
    )
    kind = make_type("preference_link", category="informational")
    sample = Sample(
        version=published_version(template),
        notification_type=kind,
        follower=anna,
        language=language,
    )
    mail = preview(sample).parts
    assert mail["subject"].startswith(subject)
    for part in ("html", "text"):
        assert f"/p/preferences/{DEAD.managing}/" in mail[part]


def test_an_unsubscribed_person_gets_the_link_too(boris: Follower, link_type: Any) -> None:
    assert send(follower_id=boris.pk, now=NOW)
    assert Delivery.objects.get().status == "pending"


def test_one_mail_in_ten_minutes_whoever_asks(
    anna: Follower, boris: Follower, link_type: Any
) -> None:
    minute = dt.timedelta(minutes=1)
    assert send(follower_id=anna.pk, now=NOW)
    assert not send(follower_id=anna.pk, now=NOW + 9 * minute)
    assert send(follower_id=boris.pk, now=NOW + 9 * minute)
    assert send(follower_id=anna.pk, now=NOW + 11 * minute)
    assert Delivery.objects.count() == 3


def test_nobody_is_a_task_with_nothing_to_do(link_type: Any) -> None:
    assert not send(follower_id=0, now=NOW)
    assert not Delivery.objects.exists()


def test_a_site_that_is_not_set_up_says_so_in_the_log(
    anna: Follower, caplog: pytest.LogCaptureFixture
) -> None:
    assert not send(follower_id=anna.pk, now=NOW)
    assert "setup_site" in caplog.text
    make_type("preference_link", category="informational", channels=["email"])
    assert not send(follower_id=anna.pk, now=NOW)
    assert "There is no default template of the type preference_link" in caplog.text


def test_a_flood_gets_the_page_and_fills_no_queue(
    client: Client, anna: Follower, monkeypatch: Any
) -> None:
    monkeypatch.setattr("apps.subscriptions.ask_link._CROWD", 3)
    assert {
        client.post("/p/link/", {"email": f"n{number}@example.com"}).status_code
        for number in range(8)
    } == {200}
    assert len(tasks()) == 3
