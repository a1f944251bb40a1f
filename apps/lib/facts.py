"""Facts: one list of what can happen, and `tell`, which tells everyone who asked in the same
transaction.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any, Protocol

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from apps.lib.actor import Actor


class Kind(StrEnum):
    """What happened, as `<noun>.<verb>`; the API shows the words, so they never change."""

    STAFF_CREATED = "staff.created"  # a staff account was made
    STAFF_CHANGED = "staff.changed"  # role, name or state of a staff account
    LOGGED_IN = "staff.logged_in"
    LOG_IN_FAILED = "staff.log_in_failed"  # a wrong password, or a name that nobody has
    LOCKED_OUT = "staff.locked_out"  # too many of them: the log-in is closed for a while
    API_KEY_CREATED = "api_key.created"  # shown once, stored hashed
    API_KEY_REVOKED = "api_key.revoked"
    FOLLOWER_ADDED = "follower.added"
    FOLLOWER_CHANGED = "follower.changed"  # data carries before and after of what changed
    FOLLOWER_SUBSCRIBED = "follower.subscribed"  # global opt-in, first time or again
    FOLLOWER_LINKS_REVOKED = "follower.links_revoked"  # to their own pages, from whoever holds one
    FOLLOWER_UNSUBSCRIBED = "follower.unsubscribed"  # global opt-out of everything commercial
    # through a form, the address confirmed; data has the form and what was chosen
    FOLLOWER_SIGNED_UP = "follower.signed_up"
    FOLLOWER_MERGED = "follower.merged"  # another one became part of this; data says who
    FOLLOWER_ERASED = "follower.erased"  # all that is theirs goes, and nobody adds them again
    # somebody wants their data, or to be erased; data carries the provider's answer
    PRIVACY_CODE_SENT = "privacy_code.sent"
    DATA_COPY_ASKED = "data_copy.asked"  # of all that is held about a follower
    DATA_COPY_FETCHED = "data_copy.fetched"  # somebody took the archive
    FOLLOWER_TAGGED = "follower.tagged"
    FOLLOWER_UNTAGGED = "follower.untagged"
    TAG_CREATED = "tag.created"
    TAG_DELETED = "tag.deleted"
    PREFERENCES_CHANGED = (
        "preferences.changed"  # matrix cells or channel switches; data carries before and after
    )
    DELIVERY_PREFERENCES_CHANGED = (
        "delivery_preferences.changed"  # quiet hours, digests, pause; data carries before and after
    )
    PHONE_CODE_SENT = (
        "phone_code.sent"  # somebody wants to confirm a number; data carries the provider's answer
    )
    ADDRESS_ASKED = "address.asked"  # whether it is the follower's; data says what the provider did
    ADDRESS_SUPPRESSED = "address.suppressed"  # no message leaves for this address any more
    ADDRESS_RELEASED = "address.released"
    ADDRESS_CONFIRMED = "address.confirmed"  # by whoever reads that mailbox
    SIGN_UP_FORM_CHANGED = "sign_up_form.changed"  # made or changed; data carries before and after
    SIGN_UP_DECLINED = "sign_up.declined"  # staff left somebody out who had confirmed
    DEVICE_REGISTERED = "device.registered"  # a phone or a browser takes messages from now on
    DEVICE_GONE = "device.gone"  # removed, dead or idle; data says why
    WEBHOOK_ADDED = "webhook.added"  # a follower's messages are posted to an address
    WEBHOOK_REMOVED = "webhook.removed"
    WEBHOOK_SWITCHED_OFF = (
        "webhook.switched_off"  # by hand, or because its calls failed for days; data says why
    )
    WEBHOOK_SWITCHED_ON = "webhook.switched_on"
    # for a day messages carry both signatures
    WEBHOOK_SECRET_CHANGED = "webhook.secret_changed"  # noqa: S105
    SMS_ANSWERED = (
        "sms.answered"  # a phone answered something that a person should read, or asked for help
    )
    CUSTOM_FIELD_CHANGED = "custom_field.changed"  # a custom field; data carries before and after
    CUSTOM_FIELD_DELETED = "custom_field.deleted"  # the values stay with the followers
    IMPORT_STARTED = "import.started"
    IMPORT_FINISHED = "import.finished"
    IMPORT_FAILED = "import.failed"  # given up; what was imported before stays
    EXPORT_STARTED = "export.started"  # data says of what, by which filter
    EXPORT_FINISHED = "export.finished"
    EXPORT_FAILED = "export.failed"
    EXPORT_FETCHED = "export.fetched"  # somebody took the file
    EXPORT_SCHEDULE_CHANGED = "scheduled_export.changed"
    EXPORT_SCHEDULE_REMOVED = "scheduled_export.removed"
    EXPORT_STORED = "scheduled_export.stored"  # all its files are where the schedule wants them
    EXPORT_NOT_STORED = "scheduled_export.failed"  # data says why; it may be tried again
    TYPE_CHANGED = "notification_type.changed"
    # how many messages one follower gets in a window; data carries before and after
    CAP_CHANGED = "cap.changed"
    CAP_REMOVED = "cap.removed"
    TEMPLATE_CREATED = "template.created"
    TEMPLATE_CHANGED = "template.changed"  # a draft was edited
    TEMPLATE_PUBLISHED = "template.published"
    TEMPLATE_RESTORED = "template.restored"  # an older version became the draft
    TEMPLATE_ARCHIVED = "template.archived"
    LAYOUT_CHANGED = "layout.changed"
    TEST_SENT = "template.test_sent"
    PROVIDER_CHANGED = "provider_account.changed"
    PROVIDER_TESTED = (
        "provider_account.tested"  # a person tried it; data carries the server's answer
    )
    PROVIDER_STOPPED = (
        "provider_account.stopped"  # the breaker opened: it is left alone for a minute and longer
    )
    PROVIDER_RECOVERED = "provider_account.recovered"  # its probe was taken
    PROVIDER_RESET = "provider_account.reset"  # a person's word: use it again at once
    # it is older than what was sent; data has how many messages wait
    DATABASE_RESTORED = "database.restored"
    RESTORE_ANSWERED = "database.restore_answered"  # a person said how to go on; data says how
    # links of mails that another key signed are dead
    SECRET_KEY_ACCEPTED = "site.secret_key_accepted"  # noqa: S105  # that it was, never the key
    FIELD_KEYS_ROTATED = (
        "field_keys.rotated"  # what is encrypted was written anew with the first key
    )
    BOUNCE_MAILBOX_CHANGED = "bounce_mailbox.changed"
    BOUNCE_RULE_CHANGED = "bounce_rule.changed"  # how many soft bounces stop an address
    RETENTION_CHANGED = "retention.changed"  # how long one kind of data is kept
    RETENTION_APPLIED = "retention.applied"  # what went in one day; data has rows of each kind
    DOMAIN_LIMIT_CHANGED = "domain_limit.changed"  # how fast a receiving domain is written to
    NOTIFICATION_CREATED = "notification.created"
    NOTIFICATION_RESCHEDULED = "notification.rescheduled"  # `send_at` before and after
    NOTIFICATION_PAUSED = "notification.paused"
    NOTIFICATION_RESUMED = "notification.resumed"
    NOTIFICATION_CANCELLED = "notification.cancelled"
    NOTIFICATION_RETRACTED = (
        "notification.retracted"  # cancelled, and taken back where that can be done
    )
    NOTIFICATION_REOPENED = "notification.reopened"  # it was finished, and some of it is sent again
    NOTIFICATION_FINISHED = "notification.finished"
    DELIVERY_FAILED = "delivery.failed"
    DELIVERY_IN_DOUBT = "delivery.in_doubt"  # handed over perhaps; RFC 1047
    DELIVERY_RETRIED = "delivery.retried"  # a person sent failed ones back into the queue
    DELIVERY_ACKNOWLEDGED = "delivery.acknowledged"  # the follower's word that they have it
    INBOX_ITEM_READ = "inbox_item.read"  # a follower opened an in-app message for the first time
    INBOX_ITEM_CHANGED = "inbox_item.changed"  # unread again, archived or back; data says which
    INBOX_READ = "inbox.read"  # a follower read all that was new
    DELIVERY_SETTLED = "delivery.settled"  # a person took one in doubt as sent
    SEGMENT_CHANGED = "segment.changed"
    SEGMENT_DELETED = "segment.deleted"
    CAMPAIGN_CREATED = "campaign.created"
    CAMPAIGN_CHANGED = "campaign.changed"
    CAMPAIGN_SCHEDULED = "campaign.scheduled"
    CAMPAIGN_UNSCHEDULED = "campaign.unscheduled"
    CAMPAIGN_STARTED = "campaign.started"
    CAMPAIGN_PAUSED = "campaign.paused"
    CAMPAIGN_RESUMED = "campaign.resumed"
    CAMPAIGN_CANCELLED = "campaign.cancelled"
    CAMPAIGN_FINISHED = "campaign.finished"
    CAMPAIGN_ARCHIVED = "campaign.archived"
    CAMPAIGN_RECALLED = "campaign.recalled"  # cancelled, and taken back where that can be done
    CAMPAIGN_PUBLISHED = "campaign.published"  # shown in the public archive
    CAMPAIGN_UNPUBLISHED = "campaign.unpublished"
    CAMPAIGN_DELETED = "campaign.deleted"
    EVENT_RULE_CHANGED = "event_rule.changed"  # made, changed, switched on or off
    EVENT_RULE_DELETED = "event_rule.deleted"
    RECURRING_CHANGED = "recurring.changed"
    RECURRING_PAUSED = "recurring.paused"
    RECURRING_RESUMED = "recurring.resumed"
    RECURRING_DELETED = "recurring.deleted"


@dataclass(frozen=True, slots=True)
class Subject:
    """What a fact is about: a sort of thing, its public id, and a label people can read."""

    type: str
    id: str
    label: str = ""


class HasSubject(Protocol):
    """A row that says how facts name it."""

    @property
    def fact_subject(self) -> Subject: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something that happened."""

    kind: Kind
    by: Actor
    at: dt.datetime
    about: Subject
    data: Mapping[str, Any] = field(default_factory=dict)


Subscriber = Callable[[Sequence[Fact]], None]


@cache
def _subscribers(kind: str) -> tuple[Subscriber, ...]:
    wired: dict[str, list[str]] = settings.EVENT_SUBSCRIBERS
    return tuple(import_string(path) for path in [*wired.get(kind, []), *wired.get("*", [])])


def tell(
    kind: Kind,
    *,
    by: Actor,
    now: dt.datetime,
    about: Subject | HasSubject,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Tell all subscribers what happened, inside the transaction of the change: no fact without
    its change, and the reverse. Raises RuntimeError outside a transaction, because then a crash
    could keep one and lose the other.
    """
    if not isinstance(about, Subject):
        about = about.fact_subject
    tell_together([Fact(kind=kind, by=by, at=now, about=about, data=data or {})])


def tell_together(facts: Iterable[Fact]) -> None:
    """Tell all subscribers what happened at once, each with a list; see `tell`.

    To write down the ends of a hundred small notifications one by one took longer than to send
    them.
    """
    told: dict[Subscriber, list[Fact]] = {}
    for fact in facts:
        if not transaction.get_connection().in_atomic_block:
            raise RuntimeError(f"{fact.kind} was told outside a transaction.")
        for subscriber in _subscribers(fact.kind):
            told.setdefault(subscriber, []).append(fact)
    for subscriber, heard in told.items():
        subscriber(heard)
