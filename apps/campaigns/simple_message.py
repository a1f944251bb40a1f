"""A message: the plainest campaign, one subject and one text by email, to everyone or by tags."""

import datetime as dt
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext as _

from apps.campaigns import lifecycle
from apps.campaigns.audience.audience import Audience
from apps.campaigns.compose import (
    BadCampaign,
    CampaignValues,
    change_campaign,
    create_campaign,
)
from apps.campaigns.models import Campaign, CampaignState, Run
from apps.content.drafts import published_version
from apps.content.models import Template
from apps.content.read_html import tags
from apps.followers.models import Channel, NotificationType
from apps.lib.actor import Actor
from apps.lib.refusals import NOT_FOUND, Refused, WrongState
from apps.notifications.models import DeliveryStatus, Tally

INTRODUCTION = "cloudmind_introduction"
S = CampaignState

_ELEMENT = re.compile(r"[a-z][a-z0-9]*([:-][a-z0-9]+)*")


def create_message(
    *,
    subject: str,
    content: str,
    notification_type: NotificationType | None = None,
    tags: Sequence[str] = (),
    metadata: dict[str, Any] | None = None,
    language: str = "en",
    by: Actor,
    now: dt.datetime,
) -> Campaign:
    """Create a draft that `lifecycle.send_now` sends.

    Content with a tag such as <p> is HTML, else text; both Liquid. `tags` are slugs; without any it
    goes to everyone. Without a type it is the first commercial one. Raises BadCampaign,
    audience.BadAudience.
    """
    if not subject.strip():
        raise BadCampaign(_("Give the message a subject."), field="subject")
    if not content.strip():
        raise BadCampaign(_("The message is empty. Write something."), field="content")
    part = "text"
    if is_html(content):
        part = "html"
    values = CampaignValues(
        name=" ".join(subject.split())[:120],
        notification_type=notification_type or usual_type(),
        channels=[Channel.EMAIL.value],
        translations={language: {"email": {"subject": subject, part: content}}},
        default_language=language,
        audience=_audience(tags),
        metadata=metadata or {},
    )
    return create_campaign(values=values, by=by, now=now)


def create_from_template(
    *,
    key: str,
    language: str,
    notification_type: NotificationType | None = None,
    tags: Sequence[str] = (),
    by: Actor,
    now: dt.datetime,
) -> Campaign:
    """Create a draft with the mail of a published template, in one language for all its readers.

    Raises Refused, BadCampaign, audience.BadAudience.
    """
    template = Template.objects.filter(key=key, private=False).first()
    version = None
    if template:
        version = published_version(template)
    if version is None:
        said = _(
            "There is no published template {key!r}. The stock templates are installed by"
            " manage.py setup_site."
        )
        raise Refused(said.format(key=key), field="template")
    words = {each.language: each.parts for each in version.translations.all()}
    if Channel.EMAIL not in words.get(language, {}):
        said = _("The template {key!r} has no mail in {language!r}. It has: {languages}.")
        has = ", ".join(words)
        said = said.format(key=key, language=language, languages=has)
        raise Refused(said, field="language")
    subject = words[language]["email"]["subject"]
    values = CampaignValues(
        name=subject[:120],
        notification_type=notification_type or usual_type(),
        channels=[Channel.EMAIL.value],
        translations={language: words[language]},
        default_language=language,
        variables=version.variables,
        layout=version.layout,
        audience=_audience(tags),
    )
    return create_campaign(values=values, by=by, now=now)


def send_message(
    *, message: Campaign, tags: Sequence[str] = (), by: Actor, now: dt.datetime
) -> Run:
    """Send a message to those with one of the tags (slugs), else to whom it was written for.

    Sent already, it gives the run of then, if that went to the same people. Raises WrongState,
    lifecycle.CampaignNotReady, audience.BadAudience.
    """
    with transaction.atomic():
        if tags:
            row = Campaign.objects.select_for_update(no_key=True).get(pk=message.pk)
            if row.state == S.DRAFT:
                values = CampaignValues(audience=_audience(tags))
                change_campaign(campaign=row, values=values, by=by, now=now)
            elif set(row.audience.get("tags", [])) != set(tags):
                said = _(
                    "This message is {state}, and not for these tags. Create another one for them."
                )
                raise WrongState(said.format(state=row.state_word), field="tags")
        return lifecycle.send_now(campaign=message, by=by, now=now)


def _audience(tags: Sequence[str]) -> dict[str, Any]:
    if tags:
        return {"tags": list(tags)}
    return {"everyone": True}


def recipient_counts(messages: Sequence[Campaign], *, now: dt.datetime) -> dict[int, int]:
    """Count the people that each message goes to, by primary key; 0 for a draft.

    Those who are skipped are not among them. Of what is not planned yet, it is the subscribed ones
    in the audience.
    """
    counts: Counter[int] = Counter()
    planned = set()
    tallies = Tally.objects.filter(notification__run__campaign__in=messages)
    for campaign, status, count in tallies.values_list(
        "notification__run__campaign", "status"
    ).annotate(Sum("count")):
        planned.add(campaign)
        if status != DeliveryStatus.SKIPPED:
            counts[campaign] += count
    for message in messages:
        if message.pk not in planned and message.state == S.SENDING:
            people = Audience.stored(message.audience).followers(now=now)
            counts[message.pk] = people.filter(subscribed=True).order_by().count()
    return {message.pk: counts[message.pk] for message in messages}


def is_html(content: str) -> bool:
    """Whether the text has a tag in it; `a < b` and `<ann@example.com>` are plain text."""
    return any(_ELEMENT.fullmatch(tag.name) for tag in tags(content))


def usual_type() -> NotificationType:
    """Find the first commercial type offered by email, so that who unsubscribed is skipped.

    One that is on by default goes before one that people have to choose: whoever only said that
    they want to be written to gets the message. Raises BadCampaign.
    """
    commercial = NotificationType.objects.filter(active=True, commercial=True)
    offered = [kind for kind in commercial if Channel.EMAIL in kind.channels]
    on = [kind for kind in offered if Channel.EMAIL in kind.default_channels]
    for kind in on or offered:
        return kind
    said = _(
        "There is no commercial message type offered by email. Make one first, or name a type."
    )
    raise BadCampaign(said, field="type", cause=NOT_FOUND)


def words_of(campaign: Campaign) -> dict[str, str]:
    """Return {"subject", "html", "text"} in the default language of the newest version.

    Prefetch template__versions.
    """
    version = max(campaign.template.versions.all(), key=lambda each: each.number)
    parts = {each.language: each.parts for each in version.translations.all()}
    email = parts.get(version.default_language, {}).get("email", {})
    return {name: email.get(name, "") for name in ("subject", "html", "text")}
