"""The review shows each version that leaves, for how many, and what nobody wrote."""

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from apps.campaigns import lifecycle, readiness
from apps.campaigns.compose import CampaignValues, change_campaign
from apps.campaigns.lifecycle import CampaignNotReady
from apps.campaigns.models import Campaign
from apps.campaigns.review.review import review
from apps.content.layouts import save_layout, standard_layout
from apps.content.models import Template
from apps.content.stock import install
from tests.campaigns.drafts import make_campaign
from tests.make import TESTER, make_follower

pytestmark = pytest.mark.django_db

OWN = {"email": {"subject": "Winter", "preheader": "Warm things", "html": "<p>Winter</p>"}}


def act() -> dict[str, Any]:
    return {"by": TESTER, "now": timezone.now()}


def people(**languages: int) -> None:
    for language, count in languages.items():
        for number in range(count):
            make_follower(
                email=f"{language}{number}@example.com", language=language.replace("_", "-")
            )


@pytest.fixture
def campaign(db: None) -> Campaign:
    """A campaign from the stock, of which the English words were written anew."""
    install(**act())
    people(en=3, en_GB=1, ru=2, de=2, fr=1)
    campaign = make_campaign(
        template=Template.objects.get(key="new_feature"), channels=["email"], name="Winter"
    )
    english = campaign.template.versions.get().translations.get(language="en").parts
    values = CampaignValues(translations={"en": english | OWN})
    return change_campaign(campaign=campaign, values=values, **act())


def said(campaign: Campaign) -> list[str]:
    return [f"{each.where}: {each.message}" for each in review(campaign).problems]


@pytest.mark.reported
def test_each_version_is_shown_with_how_many_get_it_and_who_falls_back(campaign: Campaign) -> None:
    english, russian = review(campaign).languages
    assert (english.language, english.people) == ("en", 7)
    assert english.falling_back == {"de": 2, "fr": 1}
    assert (english.subject, english.preheader) == ("Winter", "Warm things")
    assert (russian.language, russian.people, russian.falling_back) == ("ru", 2, {})
    assert russian.subject.startswith("Новое: ")
    assert (english.left_behind, russian.left_behind) == (False, True)


@pytest.mark.reported
def test_a_language_left_as_the_stock_has_it_stops_the_send_until_somebody_decides(
    campaign: Campaign,
) -> None:
    problem = said(campaign)[0]
    assert problem.startswith("ru: ru: the words are still those of the template they came from")
    with pytest.raises(CampaignNotReady, match="still those of the template"):
        lifecycle.send_now(campaign=campaign, **act())
    filled = {"feature": "X", "summary": "Y", "action_url": "https://x.example"}
    values = CampaignValues(kept=["ru"], data=filled)
    kept = change_campaign(campaign=campaign, values=values, **act())
    assert said(kept) == []
    lifecycle.send_now(campaign=kept, **act())


@pytest.mark.reported
def test_a_language_that_is_removed_asks_no_more_and_its_readers_fall_back(
    campaign: Campaign,
) -> None:
    values = CampaignValues(translations={"ru": None})
    removed = change_campaign(campaign=campaign, values=values, **act())
    (english,) = review(removed).languages
    assert (english.people, english.falling_back["ru"]) == (9, 2)
    assert said(removed) == []


@pytest.mark.reported
def test_values_that_only_the_templates_old_words_used_are_not_demanded(campaign: Campaign) -> None:
    values = CampaignValues(translations={"en": OWN, "ru": OWN})
    assert said(change_campaign(campaign=campaign, values=values, **act())) == []


@pytest.mark.reported
def test_a_value_that_is_missing_names_its_field() -> None:
    install(**act())
    campaign = make_campaign(
        template=Template.objects.get(key="new_feature"), channels=["email"], name="Winter"
    )
    found = readiness.examine(campaign, now=timezone.now()).problems
    assert [each.where for each in found if each.where] == [
        "data.feature",
        "data.summary",
        "data.action_url",
    ]


def test_a_template_that_nobody_changed_goes_out_as_it_is() -> None:
    install(**act())
    people(en=1)
    campaign = make_campaign(
        template=Template.objects.get(key="new_feature"),
        channels=["email"],
        data={"feature": "X", "summary": "Y", "action_url": "https://x.example"},
    )
    assert said(campaign) == []


@pytest.mark.reported
def test_a_layout_that_lacks_the_language_is_told(campaign: Campaign) -> None:
    values = CampaignValues(translations={"en": OWN, "de": OWN, "ru": OWN})
    found = review(change_campaign(campaign=campaign, values=values, **act()))
    frames = {each.language: each.frame_as_in for each in found.languages}
    assert standard_layout() is not None
    assert frames == {"en": "", "de": "en", "ru": ""}
    bare = save_layout(key="bare", name="Bare", html="<b>{{ content }}</b>{{ site.name }}", **act())
    found = review(change_campaign(campaign=campaign, values=CampaignValues(layout=bare), **act()))
    assert {each.frame_as_in for each in found.languages} == {""}


@pytest.mark.reported
def test_dead_links_are_shown_before_it_leaves_and_stop_nothing(campaign: Campaign) -> None:
    dead = {"email": {"subject": "Winter", "html": "<p>\n<a href='/sale'>Sale</a></p>"}}
    values = CampaignValues(translations={"en": dead, "ru": None})
    found = review(change_campaign(campaign=campaign, values=values, **act()))
    assert found.problems == ()
    (warning,) = found.warnings
    assert warning.where == "en.email.html"
    assert "line 2: the link /sale leads nowhere from a mail" in warning.message


def test_it_asks_the_database_no_more_for_more_people(
    campaign: Campaign, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(45):
        review(campaign)
    for number in range(30):
        make_follower(email=f"x{number}@example.com", language="es", now=dt.datetime.now(dt.UTC))
    with django_assert_max_num_queries(45):
        review(campaign)
