"""Look at it before anyone gets it: previews, the exact bytes, and a test mail to any address."""

import datetime as dt
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.channels.contract import Outcome
from apps.channels.mail.mime import as_bytes
from apps.channels.messages import Mail
from apps.channels.registry import provider
from apps.content.lint import sample_data
from apps.content.models import Version
from apps.content.render import Rendered, compiled
from apps.followers.addresses import normalise
from apps.followers.models import Channel, Follower, NotificationType
from apps.lib.actor import Actor
from apps.lib.facts import Kind, tell
from apps.lib.ids import uuid7
from apps.lib.refusals import RefusalKind, Refused
from apps.notifications.accounts import routing
from apps.notifications.messages import message
from apps.notifications.messages.links import unsubscribe_url
from apps.notifications.messages.person import preview_context


class NoWayOut(Refused):
    """No account of the channel is enabled; nothing can be sent."""

    kind = RefusalKind.STATE


def preview(
    *,
    version: Version,
    notification_type: NotificationType,
    channel: str = Channel.EMAIL,
    follower: Follower | None = None,
    language: str = "",
    data: dict[str, Any] | None = None,
) -> Rendered:
    """What this follower (or a made-up one) would see;
    missing values come from the variables' examples.

    Raises content.render.RenderError.
    """
    person = _as_if(follower, language)
    values = {**sample_data(version), **(data or {})}
    return compiled(version).render(
        channel, person.language, preview_context(person, notification_type, values)
    )


def exact_bytes(
    *,
    version: Version,
    notification_type: NotificationType,
    follower: Follower | None = None,
    language: str = "",
    data: dict[str, Any] | None = None,
    to: str = "",
    now: dt.datetime,
) -> bytes:
    """The e-mail as it would go over the wire. Raises RenderError, BadHeader."""
    return as_bytes(
        _mail(
            version,
            notification_type,
            follower,
            language,
            data,
            to,
            settings.DEFAULT_FROM_EMAIL,
            now,
        )
    )


def send_test(
    *,
    version: Version,
    notification_type: NotificationType,
    follower: Follower | None = None,
    language: str = "",
    data: dict[str, Any] | None = None,
    to: str,
    by: Actor,
    now: dt.datetime,
) -> Outcome:
    """Really send one e-mail to `to` now, with "[Test]" before its subject,
    and say what the server answered.

    No preference of the addressee is asked: a member of staff asked for it, and it is written to
    the audit log. Raises BadAddress, RenderError, NoWayOut.
    """
    to, _ = normalise(Channel.EMAIL, to)
    account = routing.account_for(Channel.EMAIL, now=now)
    if account is None:
        again = routing.reopens_at(Channel.EMAIL)
        raise NoWayOut(
            f"The e-mail account is left alone after a fault; try again after {timezone.localtime(again):%H:%M:%S}."
            if again
            else "No e-mail account is enabled. Add or enable one under Channels."
        )
    values = routing.settings_of(account)
    mail = _mail(
        version,
        notification_type,
        follower,
        language,
        data,
        to,
        str(values["sender"]),
        now,
        "[Test] ",
    )
    with provider(account.provider).open(values) as session:
        outcome = session.send(mail)
    with transaction.atomic():
        said = {"to": to, "result": outcome.result, "said": outcome.detail}
        tell(Kind.TEST_SENT, by=by, now=now, about=version.template, data=said)
    return outcome


def _mail(
    version: Version,
    notification_type: NotificationType,
    follower: Follower | None,
    language: str,
    data: dict[str, Any] | None,
    to: str,
    sender: str,
    now: dt.datetime,
    prefix: str = "",
) -> Mail:
    person = _as_if(follower, language)
    rendered = preview(
        version=version,
        notification_type=notification_type,
        follower=person,
        language=language,
        data=data,
    )
    parts = {**rendered.parts, "subject": prefix + rendered.parts["subject"]}
    leave = ""
    if notification_type.commercial:
        leave = unsubscribe_url(person, notification_type)
    own = None
    if person.pk:
        own = person.addresses.filter(channel=Channel.EMAIL, primary=True).first()
    return message.mail(
        uid=uuid7(),
        to=to or (own.value if own else "preview@example.com"),
        to_name=person.name,
        rendered=Rendered(rendered.channel, rendered.language, parts),
        sender=sender,
        notification_type=notification_type,
        unsubscribe=leave,
        group="test",
        now=now,
    )


def _as_if(follower: Follower | None, language: str) -> Follower:
    """The follower, reading another language if asked; without one,
    somebody made up who is never saved.
    """
    if follower is None:
        return Follower(
            name="Alex Example", language=language or "en", time_zone=settings.TIME_ZONE
        )
    if language:
        follower.language = language
    return follower
