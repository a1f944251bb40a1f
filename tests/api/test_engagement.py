"""Open and click tracking over the API: asked for, refused, told."""

import datetime as dt

import pytest
from django.utils import timezone

from apps.notifications.engagement import store
from apps.notifications.models import Delivery
from tests.api.world import plan
from tests.make import make_template

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PATH = "/api/v1/campaigns"
pytestmark = pytest.mark.django_db


def test_a_campaign_tells_who_opened_and_clicked(api, news, anna) -> None:
    letter = make_template(
        html='<p><a href="https://example.com/a">A</a> <a href="https://example.com/b">B</a></p>'
    )
    made = api.post(
        PATH,
        {
            "name": "May",
            "type": "news",
            "template": str(letter.uid),
            "audience": {"everyone": True},
        },
    ).json()
    assert made["tracking"] is True
    names = ("opened", "opens", "clicked", "clicks", "machine_opens", "machine_clicks")
    nothing = dict.fromkeys(names, 0) | {"links": []}
    assert api.get(f"{PATH}/{made['id']}").json()["engagement"] == nothing
    assert api.post(f"{PATH}/{made['id']}/send").status_code < 300
    plan()
    delivery = Delivery.objects.get(channel="email")
    assert delivery.notification.tracking
    at = timezone.now()
    Delivery.objects.update(finished_at=at - dt.timedelta(minutes=1))
    store.store([store.Event(delivery.uid, link, at, BROWSER) for link in (0, 2, 2)])
    told = api.get(f"{PATH}/{made['id']}").json()["engagement"]
    assert told["links"] == [
        {"number": 1, "url": "https://example.com/a", "people": 0, "times": 0},
        {"number": 2, "url": "https://example.com/b", "people": 1, "times": 2},
    ]
    assert (told["opened"], told["opens"], told["clicked"], told["clicks"]) == (1, 1, 1, 2)
    assert (
        api.get(f"/api/v1/notifications/{delivery.notification.uid}").json()["engagement"] == told
    )
    store.store([store.Event(delivery.uid, 0, at, "Mozilla/5.0")])
    told = api.get(f"{PATH}/{made['id']}").json()["engagement"]
    assert (told["opens"], told["machine_opens"], told["machine_clicks"]) == (1, 1, 0)
    shown = api.get(f"/api/v1/deliveries/{delivery.uid}").json()
    assert shown["opened_at"] == shown["clicked_at"] == at.isoformat().replace("+00:00", "Z")


def test_a_campaign_may_count_nothing(api, problem, draft) -> None:
    path = f"{PATH}/{draft['id']}"
    assert api.patch(path, {"tracking": False}).json()["tracking"] is False
    assert (
        api.post(
            PATH, {"name": "Copy", "type": "news", "copy_of": draft["id"], "tracking": False}
        ).json()["tracking"]
        is False
    )
    problem(api.patch(path, {"tracking": "perhaps"}), 400, field="tracking")
    assert api.post(f"{path}/send").status_code < 300
    plan()
    assert not Delivery.objects.filter(notification__tracking=True).exists()


def test_a_notification_counts_only_where_it_is_asked_to(api, news, anna) -> None:
    make_template()
    for asked, tracked in (({}, False), ({"tracking": True}, True), ({"tracking": False}, False)):
        sent = {
            "type": "news",
            "template": "letter",
            "recipients": [{"id": str(anna.uid)}],
            **asked,
        }
        made = api.post("/api/v1/notify", sent)
        assert made.status_code == 202, made.json()
        assert api.get(f"/api/v1/notifications/{made.json()['id']}").json()["tracking"] is tracked


def test_a_follower_may_be_tracked_or_not(api, problem, anna) -> None:
    path = f"/api/v1/followers/{anna.uid}"
    assert api.get(path).json()["tracking"] is True
    assert api.patch(path, {"tracking": False}).json()["tracking"] is False
    assert api.patch(path, {"name": "Anna"}).json()["tracking"] is False
    problem(api.patch(path, {"tracking": "maybe"}), 400, field="tracking")
