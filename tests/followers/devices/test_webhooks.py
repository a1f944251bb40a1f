"""A follower's web addresses: added with a secret shown once, given a new one, removed;
dead ones stay silent.
"""

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.models import AuditEntry
from apps.followers.devices import webhook_calls, webhooks
from apps.followers.models import Address, Follower
from apps.followers.people.contacts import AddressTaken
from apps.followers.profile_fields import BadFollower
from apps.lib.crypto import decrypt
from tests.make import TESTER, make_follower

URL = "https://hooks.example/carillon?shop=1"


def act() -> dict[str, Any]:
    return {"by": TESTER, "now": timezone.now()}


@pytest.fixture
def anna(db: None) -> Follower:
    return make_follower(name="Anna")


def test_a_webhook_has_a_secret_of_its_own_which_nobody_reads_in_the_database(
    anna: Follower,
) -> None:
    row, secret = webhooks.create_webhook(follower=anna, url=f" {URL} ", **act())
    other, another = webhooks.create_webhook(follower=anna, url=f"{URL}&b", **act())
    assert secret != another
    assert secret.startswith("whsec_")
    assert (row.value, row.primary, row.state) == (URL, False, "active")
    assert secret not in str(row.details)
    assert decrypt(row.details["secret"]) == secret  # type: ignore[index]
    assert list(webhooks.webhooks_of(anna)) == [row, other]
    entry = AuditEntry.objects.filter(kind="webhook.added").earliest("pk")
    assert entry.data == {"url": URL}


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/",
        "hooks.example",
        "https://a:b@hooks.example/",
        "https://h.example/" + "x" * 2000,
    ],
)
def test_what_is_no_https_address_is_refused(anna: Follower, url: str) -> None:
    with pytest.raises(BadFollower):
        webhooks.create_webhook(follower=anna, url=url, **act())
    assert not Address.objects.exists()


def test_an_address_belongs_to_one_follower_and_is_there_once(anna: Follower) -> None:
    webhooks.create_webhook(follower=anna, url=URL, **act())
    with pytest.raises(webhooks.WebhookKnown):
        webhooks.create_webhook(follower=anna, url=URL, **act())
    with pytest.raises(AddressTaken, match="Anna"):
        webhooks.create_webhook(follower=make_follower(name="Boris"), url=URL, **act())


def test_a_follower_has_only_so_many(anna: Follower, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "MOST", 1)
    webhooks.create_webhook(follower=anna, url=URL, **act())
    with pytest.raises(webhooks.TooManyWebhooks, match="already"):
        webhooks.create_webhook(follower=anna, url=f"{URL}&b", **act())


@pytest.mark.parametrize("whose", ["anna", "boris"])
def test_one_that_answered_410_is_off_until_it_is_added_again(anna: Follower, whose: str) -> None:
    first, secret = webhooks.create_webhook(follower=anna, url=URL, **act())
    webhook_calls.heard(
        [webhook_calls.CallResult(URL, good=False, gone=True, said="410")], now=timezone.now()
    )
    assert [row.state for row in webhooks.webhooks_of(anna)] == ["off"]
    if whose == "anna":
        person = anna
    else:
        person = make_follower(name="Boris")
    again, fresh = webhooks.create_webhook(follower=person, url=URL, **act())
    assert (again.pk == first.pk) == (whose == "anna"), "what waits there was written to Anna"
    assert fresh != secret
    assert [row.state for row in webhooks.webhooks_of(person)] == ["active"]
    taken_from = AuditEntry.objects.filter(kind="webhook.removed").values_list(
        "subject_id", flat=True
    )
    assert list(taken_from) == ([] if whose == "anna" else [str(anna.uid)]), (
        "her history says where it went"
    )


def test_a_new_secret_leaves_the_old_one_good_for_a_day(anna: Follower) -> None:
    row, old = webhooks.create_webhook(follower=anna, url=URL, **act())
    now = timezone.now()
    new = webhooks.rotate_secret(webhook=row, by=TESTER, now=now)
    details = Address.objects.get().details
    assert details
    assert (decrypt(details["secret"]), decrypt(details["old_secret"])) == (new, old)
    assert details["old_until"] == (now + dt.timedelta(days=1)).timestamp()
    assert AuditEntry.objects.filter(kind="webhook.secret_changed").count() == 1


def test_a_removed_one_is_gone_and_twice_is_once(anna: Follower) -> None:
    row, _ = webhooks.create_webhook(follower=anna, url=URL, **act())
    for _ in range(2):
        webhooks.delete_webhook(webhook=Address.objects.filter(pk=row.pk).first() or row, **act())
    assert not Address.objects.exists()
    assert AuditEntry.objects.filter(kind="webhook.removed").count() == 1
