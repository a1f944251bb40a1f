"""Pages of results beside their numbers: the mail with counts, two campaigns, nothing yet."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.content.models import Translation
from apps.notifications.models import Notification
from tests.campaigns.drafts import make_campaign
from tests.dashboard.pages import as_role, page_of
from tests.dashboard.send.results.world import make_world

pytestmark = pytest.mark.django_db


def test_the_mail_has_the_number_of_people_at_each_link(client: Client, viewer: Any) -> None:
    world = make_world(3)
    as_role(client, viewer)
    uid = world.notifications[0].uid
    links = client.get(reverse("dashboard:results-of", args=[uid])).context["links"]
    answer = client.get(reverse("dashboard:results-mail", args=[uid]))
    html = answer.content.decode()
    for link, _ in links:
        address = link.url.replace("&", "&amp;")
        begin = html.index(f'href="{address}"')
        assert f">{link.people}</span>" in html[begin : begin + 400]
    assert "sandbox" in answer["Content-Security-Policy"]


def test_a_campaigns_results_are_those_of_its_run(client: Client, viewer: Any) -> None:
    world = make_world(4, people=3)
    as_role(client, viewer)
    url = reverse("dashboard:campaign-results", args=[world.campaigns[0].uid])
    assert client.get(url).url == reverse("dashboard:results-of", args=[world.notifications[0].uid])
    draft = make_campaign("Draft", notification_type=world.campaigns[0].notification_type)
    url = reverse("dashboard:campaign-results", args=[draft.uid])
    assert client.get(url).url == reverse("dashboard:campaign", args=[draft.uid])


def test_medians_of_the_campaigns_before_stand_beside(client: Client, viewer: Any) -> None:
    world = make_world(6)
    as_role(client, viewer)
    first, second, _ = world.notifications
    for sent, of in ((first, None), (second, 1)):
        context = client.get(reverse("dashboard:results-of", args=[sent.uid])).context
        assert getattr(context["usual"], "of", None) == of
    flow = {step.key: step for step in context["flow"]}
    before = client.get(reverse("dashboard:results-of", args=[first.uid])).context["flow"]
    opened = next(step for step in before if step.key == "opened")
    assert flow["opened"].usual == opened.share


def test_where_nothing_was_sent_the_page_says_so(client: Client, viewer: Any) -> None:
    as_role(client, viewer)
    assert "Nothing was sent in this time" in page_of(client.get(reverse("dashboard:results"))).text
    assert "Choose two campaigns" in page_of(client.get(reverse("dashboard:results-compare"))).text


@pytest.mark.parametrize(
    "asked",
    [
        "did=nonsense",
        "link=x",
        "since=yesterday",
        "begin=2026-05-01",
        "campaign=1",
        "domain=%40%40",
        "to=9999-12-31",
        "end=0001-01-01T00:00:00%2B12:00",
    ],
)
def test_what_makes_no_sense_in_an_address_narrows_nothing(
    client: Client, viewer: Any, asked: str
) -> None:
    as_role(client, viewer)
    assert client.get(f"{reverse('dashboard:deliveries')}?{asked}").status_code == 200
    assert client.get(f"{reverse('dashboard:results')}?{asked}").status_code == 200


def test_a_single_calls_own_words_are_not_drawn(client: Client, viewer: Any) -> None:
    world = make_world(3)
    as_role(client, viewer)
    call = world.notifications[2]
    for source, drawn in [("api", False), ("campaign", True)]:
        data = {"code": "493817"}
        Notification.objects.filter(pk=call.pk).update(source=source, data=data)
        Translation.objects.filter(version=call.version).update(
            parts={"email": {"subject": "Code", "html": "<p>It is {{ code }}</p>", "text": ""}}
        )
        answer = client.get(reverse("dashboard:results-mail", args=[call.uid]))
        assert ("493817" in answer.content.decode()) is drawn
