"""Every number on the pages of results is the number of names it opens, and of rows there are."""

import random
import re
from collections import Counter
from collections.abc import Iterator
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.test import Client
from django.urls import reverse

from apps.notifications.models import Delivery, Engagement, Notification
from apps.notifications.reports.export_deliveries import Deliveries
from tests.dashboard.pages import as_role
from tests.dashboard.send.results.world import World, make_world

pytestmark = pytest.mark.django_db
_NUMBER = re.compile(r'<a href="(/deliveries/\?[^"]*)">([\d,]+)</a>')


def numbers_on(client: Client, url: str) -> Iterator[tuple[dict[str, str], int]]:
    """Each number that opens names, with what these are narrowed by."""
    answer = client.get(url)
    assert answer.status_code == 200, url
    for address, number in _NUMBER.findall(answer.content.decode()):
        asked = dict(parse_qsl(urlsplit(unescape(address)).query))
        yield asked, int(number.replace(",", ""))


def exported(asked: dict[str, str]) -> int:
    """How many the export of a list has."""
    return Deliveries().count(Deliveries().check(asked))


def listed(client: Client, asked: dict[str, str]) -> int:
    """How many the first page of a list has."""
    page = client.get(reverse("dashboard:deliveries"), asked).context["page"]
    return len(page.rows)


def pages_of(world: World) -> list[str]:
    first, second, _ = (str(each.uid) for each in world.notifications)
    return [
        *(reverse("dashboard:results-of", args=[each.uid]) for each in world.notifications),
        reverse("dashboard:results") + "?since=2026-05-01&to=2026-05-31",
        reverse("dashboard:results") + "?type=news",
        reverse("dashboard:results-compare") + f"?first={first}&second={second}",
    ]


def test_each_number_opens_as_many_names(client: Client, admin: Any) -> None:
    """One of a way to narrow is opened as a page, too: that takes longer."""
    world = make_world(random.randrange(1000))
    as_role(client, admin)
    opened: dict[tuple[str, ...], dict[str, str]] = {}
    seen = 0
    for url in pages_of(world):
        for asked, number in numbers_on(client, url):
            assert exported(asked) == number, (url, asked)
            opened[(*sorted(asked), asked.get("did", ""))] = asked
            seen += 1
    assert seen > 150
    assert len(opened) > 20
    for asked in opened.values():
        assert listed(client, asked) == min(exported(asked), 50), asked


def test_the_numbers_of_a_send_are_those_of_its_rows(client: Client, admin: Any) -> None:
    """By a plain count of the rows, which knows nothing of how lists are narrowed."""
    world = make_world(7)
    as_role(client, admin)
    sent = world.notifications[0]
    rows = list(Delivery.objects.filter(notification=sent).select_related("address", "follower"))
    looks = list(Engagement.objects.filter(delivery__notification=sent))
    people = {look.delivery_id for look in looks if not look.machine}
    clickers = {look.delivery_id for look in looks if not look.machine and look.link}
    machines = {look.delivery_id for look in looks if look.machine} - people
    context = client.get(reverse("dashboard:results-of", args=[sent.uid])).context
    told = {step.key: step.number for step in (*context["flow"], *context["losses"])}
    told |= {step.key: step.number for step in context["apart"]}
    status = Counter(row.status for row in rows)
    reasons = Counter(row.reason for row in rows)
    assert told == {
        "planned": len(rows),
        "sent": status["sent"] + status["delivered"],
        "delivered": status["delivered"],
        "opened": len(people),
        "clicked": len(clickers),
        "skipped": status["skipped"],
        "failed": status["failed"],
        "bounced": reasons["refused_recipient"] + reasons["undelivered"],
        "complained": _told(sent, "complained"),
        "unsubscribed": _told(sent, "unsubscribed"),
        "unopened": len(
            [
                row
                for row in rows
                if row.status in ("sent", "delivered")
                and row.channel == "email"
                and row.pk not in people
            ]
        ),
        "machine": len(machines),
    }
    domains = Counter(
        row.address.value.rpartition("@")[2] if row.address else "deleted since"
        for row in rows
        if row.channel == "email"
    )
    assert {line.label: line.cells[0].number for line in context["domains"]} == domains
    opened_in = Counter(
        row.follower.language if row.follower else "-" for row in rows if row.pk in people
    )
    assert sum(line.cells[2].number for line in context["languages"]) == sum(opened_in.values())
    for place, number in enumerate((told["sent"], told["opened"], told["clicked"])):
        assert sum(row.cells[place].number for row in context["times"]) == number
    links = Counter(
        link for _, link in {(look.delivery_id, look.link) for look in looks if not look.machine}
    )
    assert {link.number: link.people for link, _ in context["links"]} == {
        number: links[number] for number in (1, 2, 3)
    }


def _told(notification: Notification, kind: str) -> int:
    events = notification.deliveries.filter(events__kind=kind)
    return events.distinct().count()
