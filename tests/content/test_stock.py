"""Every template that ships, in every language and on every channel, with its sample data."""

import datetime as dt
import re
from collections.abc import Iterator
from typing import Any

import pytest

from apps.channels.sms.segments import GSM_7, UCS_2, segments
from apps.content import drafts, stock
from apps.content.lint import problems, sample_data
from apps.content.models import Template
from apps.content.render import Rendered, compiled
from tests.make import TESTER
from tests.shared import shared

NOW = dt.datetime(2026, 11, 21, 9, 0, tzinfo=dt.UTC)
FULL_SET = [
    "abandoned_cart",
    "account_security_alert",
    "action_required",
    "cloudmind_introduction",
    "digest",
    "event_invitation",
    "new_feature",
    "new_way_in",
    "order_confirmation",
    "otp_code",
    "password_reset",
    "payment_receipt",
    "planned_maintenance",
    "profile_reminder",
    "re_engagement",
    "shipping_update",
    "weekly_digest",
    "welcome",
]
UNMADE = re.compile(r"\{\{|\{%|%\}|\}\}|liquid\d+x|None|\[\{")


@pytest.fixture(scope="module")
def library(django_db_setup: None, django_db_blocker: Any) -> Iterator[list[Template]]:
    with shared(django_db_blocker):
        with django_db_blocker.unblock():
            templates = stock.install(by=TESTER, now=NOW)
        yield templates


@pytest.fixture
def installed(library: list[Template], db: None) -> list[Template]:
    return library


def person(language: str, *, name: str = "Anna Weber", unsubscribe: bool = True) -> dict[str, Any]:
    return {
        "follower": {
            "name": name,
            "first_name": name.partition(" ")[0],
            "email": "anna@example.com",
            "phone": "",
            "language": language,
            "time_zone": "Europe/Moscow",
            "external_id": "",
            "metadata": {},
            "tags": [],
        },
        "site": {"name": "Carillon", "url": "https://carillon.example", "address": "1 Bell Street"},
        "links": {
            "preferences": "https://carillon.example/p/preferences/abc/",
            "unsubscribe": "https://carillon.example/p/unsubscribe/abc/" if unsubscribe else "",
        },
    }


def rendered(template: Template, channel: str, language: str, **about: Any) -> Rendered:
    version = drafts.published_version(template)
    assert version is not None
    return compiled(version).render(
        channel, language, {**sample_data(version), **person(language, **about)}
    )


def channels_of(template: Template) -> set[str]:
    version = drafts.published_version(template)
    assert version is not None
    return set(version.translations.get(language="en").parts)


def test_the_whole_library_is_there_in_english_and_russian(installed: list[Template]) -> None:
    assert {template.key for template in installed} >= set(FULL_SET)
    for template in installed:
        version = drafts.published_version(template)
        assert version is not None
        assert template.stock
        assert problems(version) == []
        spoken = [set(translation.parts) for translation in version.translations.all()]
        assert spoken[0] == spoken[1] >= {"email", "in_app"}
        assert template.key != "digest" or spoken[0] >= {"sms", "push", "web_push"}
        assert [translation.language for translation in version.translations.all()] == ["en", "ru"]


def test_every_message_renders_whole(installed: list[Template]) -> None:
    for template in installed:
        for language in ("en", "ru"):
            for name in ("Anna Weber", "", "<b>Eve & 'Co'</b>"):
                mail = rendered(template, "email", language, name=name).parts
                inbox = rendered(template, "in_app", language, name=name).parts
                place = f"{template.key} {language} {name}"
                for text in (*mail.values(), *inbox.values()):
                    assert not UNMADE.search(text), place
                assert mail["subject"], place
                assert mail["preheader"], place
                assert "\n" not in mail["subject"], place
                assert inbox["title"], place
                assert inbox["body"].strip(), place
                for channel in channels_of(template) - {"email", "in_app"}:
                    short = rendered(template, channel, language, name=name).parts
                    assert not UNMADE.search("".join(short.values())), f"{place} {channel}"
                    assert short["body"].strip(), f"{place} {channel}"
                    assert channel == "sms" or short["title"].strip(), f"{place} {channel}"
                assert len(mail["html"].encode()) < 102_000, place
                assert "<b>Eve" not in mail["html"], place
                assert "https://carillon.example/p/preferences/abc/" in mail["html"], place
                assert "https://carillon.example/p/preferences/abc/" in mail["text"], place
                assert "https://carillon.example/p/unsubscribe/abc/" in mail["html"], place
                assert "1 Bell Street" in mail["html"], place
                assert "1 Bell Street" in mail["text"], place
                assert (
                    re.search("[а-я]{3}", mail["subject"] + mail["text"])
                    if language == "ru"
                    else True
                ), place
                assert not re.search("[а-яА-Я]", mail["html"]) if language == "en" else True, place
                assert "<" not in mail["text"].replace("<b>Eve & 'Co'</b>", "").replace(
                    "<b>Eve", ""
                ), place


def test_messages_that_are_not_commercial_offer_settings_but_no_unsubscribe(
    installed: list[Template],
) -> None:
    mail = rendered(installed[1], "email", "en", unsubscribe=False).parts
    assert "unsubscribe" not in mail["html"].lower()
    assert "unsubscribe" not in mail["text"].lower()


def test_styles_are_inside_the_tags_and_media_queries_stay(installed: list[Template]) -> None:
    html = rendered(installed[0], "email", "en").parts["html"]
    assert "prefers-color-scheme: dark" in html
    assert ".rows th {" not in html.split("@media")[0]
    assert re.search(
        r'<a href="https://example.com/cart" style="[^"]*color: #FFFFFF', html, re.IGNORECASE
    )
    assert "<!--[if mso]>" in html


def test_installing_twice_makes_nothing_new_and_keeps_what_staff_changed(
    installed: list[Template],
) -> None:
    welcome = Template.objects.get(key="welcome")
    drafts.edit_draft(template=welcome, values=drafts.DraftValues(note="ours"), by=TESTER, now=NOW)
    drafts.publish(template=welcome, by=TESTER, now=NOW)
    assert stock.install(by=TESTER, now=NOW) == []
    version = drafts.published_version(welcome)
    assert version is not None
    assert version.note == "ours"


def test_numbers_dates_and_plurals_follow_the_language(installed: list[Template]) -> None:
    order = next(template for template in installed if template.key == "order_confirmation")
    assert "2 items, €54.30" in rendered(order, "email", "en").parts["preheader"]
    assert "2 позиции на сумму 54,30\xa0€" in rendered(order, "email", "ru").parts[
        "preheader"
    ].replace(" €", "\xa0€")
    works = next(template for template in installed if template.key == "planned_maintenance")
    assert (
        "December 6, 2026" in rendered(works, "email", "en").parts["subject"]
    )  # 22:00 UTC is the 6th in Moscow
    assert "6 декабря 2026" in rendered(works, "email", "ru").parts["subject"]


def test_an_english_text_message_costs_one_segment_and_a_russian_one_two(
    installed: list[Template],
) -> None:
    texted = [each for each in installed if "sms" in channels_of(each) and each.key != "digest"]
    assert len(texted) >= 9
    for template in texted:
        for language, encoding, most in (("en", GSM_7, 1), ("ru", UCS_2, 2)):
            body = rendered(template, "sms", language).parts["body"]
            cost = segments(body)
            assert cost.encoding == encoding, f"{template.key}: {cost.outside}"
            assert cost.count <= most, body
