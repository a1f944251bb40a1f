"""The search over everything: what it finds, for whom, and what it leaves out."""

import pytest
from django.urls import reverse
from django.utils import timezone

from apps.dashboard.shell.find_anything import found
from tests.campaigns.drafts import make_campaign
from tests.dashboard.pages import as_role, page_of
from tests.make import make_follower, make_template, make_type


def titles(text, viewer):
    return {group.title: [hit.label for hit in group.hits] for group in found(text, viewer=viewer)}


def test_a_few_letters_find_people_campaigns_templates_types_and_pages(db, viewer):
    make_follower(email="harbour@example.com", name="Hanna Harbour")
    make_campaign("Harbour news")
    make_template(key="harbour-welcome", name="Harbour welcome")
    make_type("harbour", name="Harbour alerts")
    assert titles("harbour", viewer) == {
        "Followers": ["Hanna Harbour"],
        "Campaigns": ["Harbour news"],
        "Templates": ["Harbour welcome"],
        "Message types": ["Harbour alerts"],
    }
    assert titles("suppr", viewer)["Pages"] == ["Suppression list"]


def test_a_person_is_found_by_address_and_number(db, viewer):
    make_follower(email="selma@example.com", phone="+4915112345678", name="")
    assert titles("selma@example", viewer) == {"Followers": ["selma@example.com"]}
    assert titles("15112345", viewer) == {"Followers": ["selma@example.com"]}


def test_somebody_without_a_name_and_an_address_is_shown_by_id(db, viewer):
    follower = make_follower(external_id="choir-7", name="")
    assert titles("choir-7", viewer) == {"Followers": [str(follower.uid)]}


def test_the_docs_are_found_by_their_headings(db, viewer):
    [group] = [each for each in found("who may do", viewer=viewer) if each.title == "Help"]
    assert [(hit.label, hit.url) for hit in group.hits] == [
        ("Who may do what", "/help/use/#who-may-do-what")
    ]


def test_one_letter_and_nothing_find_nothing(db, viewer):
    make_follower(email="anna@example.com")
    assert found("a", viewer=viewer) == []
    assert found("  ", viewer=viewer) == []


def test_pages_that_somebody_may_not_open_are_not_named(db, viewer, admin):
    assert "Pages" not in titles("api keys", viewer)
    assert titles("api keys", admin)["Pages"] == ["API keys"]


def test_what_is_more_than_five_is_behind_a_link_to_the_list(client, viewer):
    for number in range(6):
        make_follower(email=f"choir{number}@example.com")
    [group] = [each for each in found("choir", viewer=viewer) if each.title == "Followers"]
    assert len(group.hits) == 5
    page = page_of(as_role(client, viewer).get(group.more))
    assert "choir0@example.com" in page.text


def test_the_page_says_what_it_looked_for_as_text(client, viewer):
    page = page_of(as_role(client, viewer).get("/search/", {"q": "<script>no"}))
    assert "Nothing is called “<script>no”." in page.text
    assert page.inline == []


def test_every_hit_leads_to_a_page(client, admin):
    make_follower(email="bell@example.com")
    make_campaign("Bell", notification_type=make_type("bell", name="Bell"))
    make_template(key="bell-words", name="Bell words")
    as_role(client, admin)
    for group in found("bell", viewer=admin):
        for hit in group.hits:
            assert client.get(hit.url, follow=True).status_code == 200, hit


def test_htmx_gets_the_results_alone(client, viewer):
    response = as_role(client, viewer).get(
        reverse("dashboard:search"), {"q": "tags"}, headers={"HX-Request": "true"}
    )
    assert "<html" not in response.content.decode()
    assert "Tags" in response.content.decode()


@pytest.mark.parametrize("people", [1, 40])
def test_the_search_asks_the_same_few_questions_however_much_there_is(
    viewer, people, django_assert_max_num_queries
):
    for number in range(people):
        make_follower(email=f"choir{number}@example.com", now=timezone.now())
    with django_assert_max_num_queries(9):
        found("choir", viewer=viewer)
