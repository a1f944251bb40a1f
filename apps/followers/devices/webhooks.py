"""A follower's own web addresses, to which messages are posted with a signature: added,
given a new secret, removed.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext

from apps.channels.https.webhook import new_secret, sealed
from apps.followers.consent import tombstones
from apps.followers.devices.push_devices import key_of
from apps.followers.devices.webhook_calls import UNTRIED
from apps.followers.models import Address, AddressState, Channel, Follower, OffReason, Webhook
from apps.followers.people.contacts import AddressTaken
from apps.followers.profile_fields import BadFollower
from apps.lib.actor import Actor
from apps.lib.facts import Kind, tell
from apps.lib.network.outside_http import Forbidden, NoSuchPlace, as_called
from apps.lib.refusals import NOT_FOUND, RefusalKind, Refused

MOST = 20  # of one follower: each of them gets every message
LONGEST = 2000  # letters
OVERLAP = dt.timedelta(hours=24)  # we sign with the old secret, too, while its owner changes it


class WebhookKnown(Refused):
    """The follower has this very address."""

    kind = RefusalKind.STATE
    field = "url"

    def __init__(self) -> None:
        super().__init__(
            gettext(
                "This follower's messages are posted there already. "
                "Give it a new secret where that is lost."
            )
        )


class TooManyWebhooks(Refused):
    """The follower has as many as one may have."""

    kind = RefusalKind.STATE
    field = "url"

    def __init__(self) -> None:
        said = gettext("This follower has {count} webhooks already. Remove one first.")
        super().__init__(said.format(count=MOST))


def webhooks_of(follower: Follower) -> QuerySet[Address]:
    """List a follower's webhooks, off ones too, the oldest first, each with its `webhook`."""
    rows = follower.addresses.filter(channel=Channel.WEBHOOK)
    return rows.select_related("webhook").order_by("pk")


def create_webhook(
    *, follower: Follower, url: str, by: Actor, now: dt.datetime
) -> tuple[Address, str]:
    """The address and its secret, which is shown this once.

    One that is switched off comes back with a new secret.

    Where it answered 410, another follower may have it, too.

    Raises BadFollower for what is no https address, WebhookKnown where it is called already,
    AddressTaken where it is for another follower, TooManyWebhooks, Erased.
    """
    url = url.strip()
    if len(url) > LONGEST:
        said = gettext("The address is longer than {most} letters.")
        raise BadFollower(said.format(most=LONGEST), field="url")
    try:
        url = as_called(url)
    except NoSuchPlace as error:
        raise BadFollower(str(error), field="url", cause=NOT_FOUND) from error
    except Forbidden as error:
        raise BadFollower(str(error), field="url") from error
    secret = new_secret()
    key = key_of(url)
    fields = {
        "state": AddressState.ACTIVE,
        "details": sealed(secret),
        "created_at": now,
        "seen_at": None,
    }
    with transaction.atomic():
        follower = Follower.objects.select_for_update(no_key=True).get(pk=follower.pk)
        tombstones.refuse_leaving(follower)
        known = (
            Address.objects.filter(channel=Channel.WEBHOOK, key=key)
            .select_related("follower", "webhook")
            .first()
        )
        if known and known.follower_id != follower.pk:
            if known.webhook.off_reason != OffReason.GONE:
                raise AddressTaken("url", known.follower)
            delete_webhook(
                webhook=known, by=by, now=now
            )  # not moved: what waits there was written to somebody else
            known = None
        if known is None:
            if webhooks_of(follower).count() >= MOST:
                raise TooManyWebhooks
            row = _created(follower, url, key, fields)
        elif known.state != AddressState.OFF:
            raise WebhookKnown
        else:
            Webhook.objects.filter(pk=known.pk).update(**UNTRIED)  # first, as whoever hears answers
            Address.objects.filter(pk=known.pk).update(**fields)
            row = Address.objects.select_related("follower", "webhook").get(pk=known.pk)
        tell(Kind.WEBHOOK_ADDED, by=by, now=now, about=row.follower, data={"url": row.value})
    return row, secret


def _created(follower: Follower, url: str, key: str, fields: Mapping[str, Any]) -> Address:
    try:
        with transaction.atomic():
            row = Address.objects.create(
                follower=follower,
                channel=Channel.WEBHOOK,
                value=url,
                key=key,
                primary=False,
                **fields,
            )
            Webhook.objects.create(address=row)  # and is row.webhook
            return row
    except IntegrityError:  # another follower's, since we looked
        raise AddressTaken(
            "url", Address.objects.get(channel=Channel.WEBHOOK, key=key).follower
        ) from None


def rotate_secret(*, webhook: Address, by: Actor, now: dt.datetime) -> str:
    """A new secret, shown this once. For OVERLAP messages carry the signatures of both."""
    secret = new_secret()
    with transaction.atomic():
        row = Address.objects.select_for_update(no_key=True, of=("self",)).select_related(
            "follower"
        )
        locked = row.get(pk=webhook.pk)
        old = str((locked.details or {}).get("secret") or "")
        locked.details = sealed(secret, old=old, old_until=(now + OVERLAP).timestamp())
        locked.save(update_fields=["details"])
        tell(
            Kind.WEBHOOK_SECRET_CHANGED,
            by=by,
            now=now,
            about=locked.follower,
            data={"url": locked.value},
        )
    return secret


def delete_webhook(*, webhook: Address, by: Actor, now: dt.datetime) -> None:
    """Messages that wait for it are skipped."""
    with transaction.atomic():
        if Address.objects.filter(pk=webhook.pk).delete()[0]:
            tell(
                Kind.WEBHOOK_REMOVED,
                by=by,
                now=now,
                about=webhook.follower,
                data={"url": webhook.value},
            )
