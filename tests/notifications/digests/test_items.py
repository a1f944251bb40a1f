"""What a digest shows of each message in it."""

from typing import Any

import pytest

from apps.content.drafts import published_version
from apps.content.models import Template
from apps.content.render import compiled
from apps.followers.models import Follower, NotificationType
from apps.notifications.digests import flush, items
from apps.notifications.models import Delivery, Notification
from tests.make import make_follower, make_template, nested
from tests.notifications.digests.gathering import NUMBER, flush_all, hold, made, shown
from tests.notifications.world import stands


def test_each_reader_gets_the_words_of_the_own_language(
    orders: NotificationType, anna: Follower
) -> None:
    boris = make_follower(email="b@example.com", name="Борис", language="ru")
    for number in (1, 2):
        hold(orders, [anna, boris], number)
    flush_all(people=1)
    titles = {
        row.follower_id: shown(row)["items"][0]["title"]
        for row in Delivery.objects.exclude(data=None)
    }
    assert titles == {anna.pk: "Order 1", boris.pk: "Заказ 1"}


def test_only_so_many_are_shown_and_the_others_are_counted(
    orders: NotificationType, anna: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flush, "RENDERED", 2)
    for number in (1, 2, 3):
        hold(orders, [anna], number)
    flush_all()
    assert (len(shown()["items"]), shown()["total"], shown()["omitted"]) == (2, 3, 1)


def test_one_that_can_not_be_rendered_keeps_no_other_back(
    orders: NotificationType, anna: Follower
) -> None:
    make_template("broken", subject="{{ 6 | divided_by: number }}", variables=[NUMBER])
    bad = published_version(Template.objects.get(key="broken"))
    good = [hold(orders, [anna], number) for number in (1, 2)]
    broken = hold(orders, [anna], 3)
    Notification.objects.filter(pk=broken.pk).update(version=bad, data={"number": 0})
    flush_all()
    assert stands(broken) == {"pending": 1}, "its sender says what is wrong with it"
    assert [stands(each) for each in good] == [{"skipped": 1}] * 2


def test_data_that_is_too_deep_for_a_list_is_left_out_of_it_and_its_words_stay(
    orders: NotificationType, anna: Follower
) -> None:
    for data in ({"more": nested(8)}, {"more": nested(9)}):
        hold(orders, [anna], 1, data={"number": 1} | data, channels=["in_app"])
    flush_all()
    assert [(item["title"], "more" in item["data"]) for item in shown()["items"]] == [
        ("Order 1", True),
        ("Order 1", False),
    ]
    version = made().notification.version
    context = shown() | {"follower": {}, "site": {}, "links": {}}
    assert "Order 1" in compiled(version).render("in_app", "en", context).parts["body"]


def test_a_bug_in_the_making_of_one_item_keeps_no_other_back(
    orders: NotificationType, anna: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = [hold(orders, [anna], number) for number in (1, 2, 3)]
    item = items._item

    def stumbles(row: Delivery, person: Any) -> Any:
        if row.notification != sent[0]:
            return item(row, person)
        return 1 / 0

    monkeypatch.setattr(items, "_item", stumbles)
    flush_all()
    assert [stands(each) for each in sent] == [{"pending": 1}, {"skipped": 1}, {"skipped": 1}]
