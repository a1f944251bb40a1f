"""`manage.py recount`: numbers that are wrong are set right, and told."""

import io

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F

from apps.followers.models import Address
from apps.notifications.models import Tally
from tests.make import make_follower, make_type
from tests.notifications.world import make_version, stands, tell

pytestmark = pytest.mark.django_db


def recount(*words: str) -> str:
    out = io.StringIO()
    call_command("recount", *words, stdout=out)
    return out.getvalue()


def test_wrong_numbers_are_told_and_set_right() -> None:
    notification = tell(
        make_type(),
        [make_follower(email=f"p{number}@example.com") for number in range(3)],
        version=make_version(),
    )
    Tally.objects.filter(status="pending").update(count=F("count") + 2)
    told = recount(str(notification.uid))
    assert "pending  default_on  -2" in told
    assert "1 numbers were wrong" in told
    assert stands(notification) == {"pending": 3}
    assert "0 numbers were wrong" in recount("--all")


def test_pointers_to_nothing_are_told_and_cleared() -> None:
    anna, boris = (make_follower(email=f"{name}@example.com") for name in ("anna", "boris"))
    notification = tell(make_type(), [anna, boris], version=make_version())
    # past the product: what is deleted through it leaves none
    Address.objects.filter(follower=anna)._raw_delete("default")
    told = recount(str(notification.uid))
    assert f"{notification.uid}  1 pointed to a follower or an address that is gone" in told
    assert "1 deliveries pointed to nothing and say so now." in told
    assert notification.deliveries.get(follower=anna).address_id is None
    assert notification.deliveries.get(follower=boris).address is not None
    assert "pointed" not in recount("--all")


def test_an_unknown_id_and_none_at_all_are_refused() -> None:
    with pytest.raises(CommandError, match="no such notification"):
        recount("00000000-0000-0000-0000-000000000000")
    with pytest.raises(CommandError, match="--all"):
        recount()
