"""The review of a large audience: the page first, its numbers after it."""

import threading
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.campaigns.models import AudienceCount, Campaign
from apps.campaigns.review import counting, one_pass
from tests.campaigns.drafts import make_campaign
from tests.dashboard.pages import page_of
from tests.lib.sql.slow import never_ending
from tests.make import make_follower, make_staff
from tests.patience import PATIENCE, until


@pytest.fixture
def campaign(transactional_db: None, client: Client, monkeypatch: pytest.MonkeyPatch) -> Campaign:
    """A draft to three people, who count as many."""
    monkeypatch.setattr(counting, "FEW", 0)
    for number in range(3):
        make_follower(email=f"p{number}@example.com")
    client.force_login(make_staff("selma", role="sender"))
    return make_campaign()


def address(name: str, campaign: Campaign) -> str:
    return reverse(f"dashboard:campaign-{name}", args=[campaign.uid])


def fetched(client: Client, where: str) -> str:
    answer = client.get(where, headers={"HX-Request": "true"})
    if answer.streaming:
        return b"".join(answer.streaming_content).decode()
    return answer.content.decode()


def test_the_page_comes_first_and_fetches_its_numbers(client: Client, campaign: Campaign) -> None:
    first = client.get(address("review", campaign)).content.decode()
    assert "3 of 3 followers" not in first
    assert f'hx-get="{address("numbers", campaign)}"' in first
    assert "It is not counted yet who gets it." in first
    numbers = fetched(client, address("numbers", campaign))
    assert "3 of 3 followers" in " ".join(numbers.split())
    assert "Send to 3 followers now?" in numbers
    assert 'id="let-go" hx-swap-oob="true"' in numbers
    kept = page_of(client.get(address("review", campaign)))
    assert "3 of 3 followers" in kept.text
    assert "people come and go" in kept.text
    again = address("review", campaign) + "?again=1"
    assert again in kept.links
    make_follower(email="late@example.com")
    anew = address("numbers", campaign) + "?again=1"
    assert anew in client.get(again).content.decode()
    assert "4 of 4 followers" in " ".join(fetched(client, anew).split())


def test_without_scripts_a_link_waits_for_the_numbers(client: Client, campaign: Campaign) -> None:
    link = address("review", campaign) + "?numbers=wait"
    assert link in page_of(client.get(address("review", campaign))).links
    assert "3 of 3 followers" in page_of(client.get(link)).text


def test_nobody_in_the_audience_is_found_when_it_is_counted(
    client: Client, campaign: Campaign
) -> None:
    named = str(make_follower(name="Dana").uid)
    audience = {"followers": [named], "exclude_followers": [named]}
    Campaign.objects.update(audience=audience)
    numbers = fetched(client, address("numbers", campaign))
    assert "Nobody matches this audience." in numbers
    assert "disabled" in numbers


def test_the_count_ends_when_its_reader_leaves(
    client: Client, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()

    def count(*args: Any, **kwargs: Any) -> None:
        begun.set()
        never_ending()

    monkeypatch.setattr(one_pass, "count", count)
    answer: Any = client.get(address("numbers", campaign))
    pieces = iter(answer.streaming_content)
    assert next(pieces) == b" "
    assert begun.wait(PATIENCE)
    assert AudienceCount.objects.count() == 1
    answer.close()  # as the web server does
    until(lambda: not counting._under_way, "the count has ended")
    assert not AudienceCount.objects.exists()


def test_a_count_that_was_given_up_is_told(
    client: Client, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "LONGEST", 0.05)
    monkeypatch.setattr(one_pass, "count", lambda *args, **kwargs: never_ending())
    numbers = fetched(client, address("numbers", campaign))
    assert "so that was given up" in numbers
