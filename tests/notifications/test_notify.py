"""One intent: validated, stored once, pinned to a version."""

import datetime as dt

import pytest
from django.db import transaction
from django.utils import timezone

from apps.content import drafts
from apps.followers.models import Follower
from apps.notifications.models import Delivery, Notification, TypeTemplate
from apps.notifications.notify import NotNotifiable
from tests.make import TESTER, make_type
from tests.notifications.world import drain, make_version, tell
from tests.receiver import Receiver

ORDER = [{"name": "order", "type": "string", "required": True, "example": "A-1"}]


def test_the_same_key_twice_is_one_notification(anna: Follower) -> None:
    kind = make_type()
    version = make_version()
    first = tell(kind, [anna], version=version, dedup_key="order-1")
    assert tell(kind, [anna], version=version, dedup_key="order-1") == first
    assert tell(kind, [anna], version=version, dedup_key="order-2") != first
    assert Delivery.objects.count() == 2


def test_naming_a_person_twice_is_one_message(anna: Follower) -> None:
    tell(make_type(), [anna, anna], version=make_version())
    assert Delivery.objects.count() == 1


def test_each_persons_own_values_lie_over_the_common_ones(
    receiver: Receiver, anna: Follower, chen: Follower
) -> None:
    version = make_version(
        body="<p>Order {{ order }} from {{ shop }}</p>",
        variables=[*ORDER, {**ORDER[0], "name": "shop"}],
    )
    tell(
        make_type(),
        [(anna, {"order": "B-7"})],
        version=version,
        data={"order": "none", "shop": "Bells"},
    )  # type: ignore[list-item]
    drain()
    assert "Order B-7 from Bells" in receiver.arrived[0].mail.get_body(("html",)).get_content()


def test_a_missing_value_is_refused_by_name(anna: Follower) -> None:
    version = make_version(body="<p>{{ order }}</p>", variables=ORDER)
    with pytest.raises(NotNotifiable, match="order"):
        tell(make_type(), [anna], version=version)
    assert Notification.objects.count() == 0


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"channels": ["carrier_pigeon"]}, "No provider sends on: carrier_pigeon"),
        ({"expires_at": dt.datetime(2020, 1, 1, tzinfo=dt.UTC)}, "expire before it is sent"),
    ],
)
def test_what_can_not_be_sent_is_refused_with_the_reason(
    anna: Follower, fields: dict[str, object], says: str
) -> None:
    with pytest.raises(NotNotifiable, match=says):
        tell(make_type(), [anna], version=make_version(), **fields)
    assert Notification.objects.count() == 0


def test_nobody_to_notify_and_no_template_are_refused(anna: Follower) -> None:
    kind = make_type()
    with pytest.raises(NotNotifiable, match="nobody"):
        tell(kind, [], version=make_version())
    with pytest.raises(NotNotifiable, match="There is no default template of"):
        tell(kind, [anna])


def test_the_types_template_speaks_and_stays_the_version_it_was(
    receiver: Receiver, anna: Follower
) -> None:
    kind = make_type()
    version = make_version()
    TypeTemplate.objects.create(notification_type=kind, template=version.template)
    notification = tell(kind, [anna])
    parts = {"email": {"subject": "Changed", "html": "<p>changed</p>"}}
    now = timezone.now()
    drafts.edit_draft(
        template=version.template,
        values=drafts.DraftValues(translations={"en": parts}),
        by=TESTER,
        now=now,
    )
    drafts.publish(template=version.template, by=TESTER, now=now)
    drain()
    assert notification.version == version
    assert receiver.arrived[0].mail["Subject"] == "Hello Anna Weber"


def test_a_callers_rollback_takes_the_message_with_it(receiver: Receiver, anna: Follower) -> None:
    kind, version = make_type(), make_version()

    @transaction.atomic
    def caller() -> None:
        tell(kind, [anna], version=version)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        caller()
    drain()
    assert (Notification.objects.count(), receiver.arrived) == (0, [])


def test_a_later_notification_waits_for_its_time(receiver: Receiver, anna: Follower) -> None:
    notification = tell(
        make_type(), [anna], version=make_version(), send_at=timezone.now() + dt.timedelta(hours=1)
    )
    drain()
    assert receiver.arrived == []
    Delivery.objects.update(due_at=timezone.now())
    drain()
    assert receiver.recipients == ["anna@example.com"]
    notification.refresh_from_db()
    assert notification.state == "done"


def test_a_channel_the_template_has_no_words_for_is_not_chosen_by_itself(
    receiver: Receiver, anna: Follower
) -> None:
    kind = make_type(channels=["email", "in_app", "sms"])
    notification = tell(kind, [anna], version=make_version(), channels=None)
    assert notification.channels == ["email", "in_app"]
