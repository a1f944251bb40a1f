"""Look at a message before anyone gets it: previews, the exact bytes, and a test mail."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from apps.accounts.models import AuditEntry, User
from apps.accounts.permissions import Capability, may
from apps.channels.contract import Outcome
from apps.channels.mail.mime import as_bytes
from apps.channels.mail.sender import sender_of
from apps.channels.messages import Mail, Sender
from apps.channels.registry import provider
from apps.content.lint import sample_data
from apps.content.models import Version
from apps.content.render import Rendered, compiled
from apps.followers.addresses import normalise
from apps.followers.models import Channel, Follower, NotificationType
from apps.lib.actor import Actor, ActorKind
from apps.lib.facts import Kind, tell
from apps.lib.ids import uuid7
from apps.lib.refusals import RefusalKind, Refused
from apps.notifications.accounts import routing
from apps.notifications.messages import message
from apps.notifications.messages.links import DEAD, stamped_unsubscribe_url
from apps.notifications.messages.person import preview_context
from apps.notifications.models import ProviderAccount


class NoWayOut(Refused):
    """No account of the channel is enabled; nothing can be sent."""

    kind = RefusalKind.STATE


class NoTester(Refused):
    """Somebody whose role may not send wants a test to go to an address of nobody we know."""

    field = "to"


class TooManyTests(Refused):
    """Somebody sent many tests within an hour."""

    kind = RefusalKind.STATE


MOST_TESTS = 30  # by one person within TESTS_WITHIN
TESTS_WITHIN = dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What is looked at, and as whom.

    - `follower`: None is somebody made up. `language`: "" is the follower's own.
    - `data`: values that are missing come from the variables' examples.
    """

    version: Version
    notification_type: NotificationType
    follower: Follower | None = None
    language: str = ""
    data: Mapping[str, Any] | None = None


def preview(sample: Sample, *, channel: str = Channel.EMAIL) -> Rendered:
    """What the sample's follower would see. Raises content.render.RenderError."""
    return _rendered(sample, _reader(sample), channel)


def exact_bytes(sample: Sample, *, to: str = "", now: dt.datetime) -> bytes:
    """The email as it would go over the wire. Raises RenderError, BadHeader."""
    sender = Sender(settings.DEFAULT_FROM_NAME, settings.DEFAULT_FROM_ADDRESS)
    return as_bytes(_mail(sample, to, sender, now=now))


def send_test(*, sample: Sample, to: str, by: Actor, now: dt.datetime) -> Outcome:
    """Send one real email to `to` now, with "[Test]" before its subject,
    and say what the server answered.

    No preference of the addressee is asked: a member of staff asked for it, and it is written to
    the audit log. Whose role may not send tests on staff and TESTERS. Raises BadAddress, NoTester,
    TooManyTests, RenderError, NoWayOut.
    """
    to, _ = normalise(Channel.EMAIL, to)
    account = _account(now=now)
    _refuse_stranger(to, by)
    _refuse_many(by, now=now)
    values = routing.settings_of(account)
    mail = _mail(sample, to, sender_of(values), now=now, prefix="[Test] ")
    with provider(account.provider).open(values) as session:
        outcome = session.send(mail)
    with transaction.atomic():
        said = {"to": to, "result": outcome.result, "said": outcome.detail}
        tell(Kind.TEST_SENT, by=by, now=now, about=sample.version.template, data=said)
    return outcome


def _refuse_stranger(to: str, by: Actor) -> None:
    actor = None
    if by.kind == ActorKind.STAFF:
        actor = User.objects.filter(uid=by.id).first()
    if actor is None or may(actor, Capability.SEND):
        return
    is_tester = to.casefold() in {each.casefold() for each in settings.TESTERS}
    if not is_tester and not User.objects.filter(is_active=True, email__iexact=to).exists():
        raise NoTester(
            gettext(
                "Your role sends tests to the addresses of staff, and to those of testers that an "
                "operator named. Ask somebody with the role Sender to send it elsewhere."
            )
        )


def _refuse_many(by: Actor, *, now: dt.datetime) -> None:
    own = AuditEntry.objects.filter(actor_kind=by.kind, actor_id=by.id, kind=Kind.TEST_SENT)
    if own.filter(at__gt=now - TESTS_WITHIN).count() >= MOST_TESTS:
        said = gettext(
            "You sent {count} tests within an hour. Go on later, or send it to a few people as a "
            "campaign."
        )
        raise TooManyTests(said.format(count=MOST_TESTS))


def _account(*, now: dt.datetime) -> ProviderAccount:
    """The account for email. Raises NoWayOut."""
    account = routing.account_for(Channel.EMAIL, now=now)
    if account:
        return account
    again = routing.reopens_at(Channel.EMAIL)
    if again is None:
        raise NoWayOut(gettext("No email account is enabled. Add or enable one under Channels."))
    said = gettext("The email account is left alone after a fault; try again after {time}.")
    raise NoWayOut(said.format(time=f"{timezone.localtime(again):%H:%M:%S}"))


def _rendered(sample: Sample, reader: Follower, channel: str) -> Rendered:
    values = {**sample_data(sample.version), **(sample.data or {})}
    seen = preview_context(reader, sample.notification_type, values)
    return compiled(sample.version).render(channel, reader.language, seen)


def _mail(sample: Sample, to: str, sender: Sender, *, now: dt.datetime, prefix: str = "") -> Mail:
    """The sample as an email; without `to`, to the reader's own address."""
    reader = _reader(sample)
    parts = _rendered(sample, reader, Channel.EMAIL).parts
    kind = sample.notification_type
    leave = ""
    if kind.commercial:
        leave = stamped_unsubscribe_url(DEAD)
    uid = uuid7()
    domain = sender.domain
    return Mail(
        delivery=uid,
        message_id=f"<{uid.hex}@{domain}>",
        sender=sender,
        to=to or _own_address(reader),
        to_name=" ".join(reader.name.split()),
        subject=prefix + parts["subject"],
        text=parts.get("text", ""),
        html=parts.get("html", ""),
        headers=message.mail_headers(kind, domain=domain, group="test", unsubscribe=leave),
        sent_at=now,
    )


def _own_address(reader: Follower) -> str:
    own = None
    if reader.pk:
        own = reader.addresses.filter(channel=Channel.EMAIL, primary=True).first()
    if own:
        return own.value
    return "preview@example.com"


def _reader(sample: Sample) -> Follower:
    """The sample's follower, reading another language if asked; without one, somebody made up who
    is never saved.
    """
    follower = sample.follower
    language = sample.language
    if follower is None:
        zone = settings.TIME_ZONE
        return Follower(name="Alex Example", language=language or "en", time_zone=zone)
    if language:
        follower.language = language
    return follower
