"""A message: the plainest campaign, one subject and one text by e-mail, to everyone or by tags."""

import datetime as dt
import re
from collections.abc import Sequence
from typing import Any

from apps.campaigns.compose import BadCampaign, CampaignValues, create_campaign
from apps.campaigns.models import Campaign
from apps.followers.models import Channel, NotificationType
from apps.lib.actor import Actor

_MARKUP = re.compile(r"</?[a-z][^<>]*>", re.IGNORECASE)


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
        raise BadCampaign("Give the message a subject.", field="subject")
    if not content.strip():
        raise BadCampaign("The message is empty. Write something.", field="content")
    part = "text"
    if is_html(content):
        part = "html"
    audience: dict[str, Any] = {"everyone": True}
    if tags:
        audience = {"tags": list(tags)}
    values = CampaignValues(
        name=" ".join(subject.split())[:120],
        notification_type=notification_type or usual_type(),
        channels=[Channel.EMAIL.value],
        translations={language: {"email": {"subject": subject, part: content}}},
        default_language=language,
        audience=audience,
        metadata=metadata or {},
    )
    return create_campaign(values=values, by=by, now=now)


def is_html(content: str) -> bool:
    """Whether the text has a tag in it; `a < b` and `<ann@example.com>` are plain text."""
    for found in _MARKUP.finditer(content):
        markup = found[0]
        if "@" not in markup and "://" not in markup.split(" ")[0]:
            return True
    return False


def usual_type() -> NotificationType:
    """Find the first commercial type offered by e-mail, so that who unsubscribed is skipped.

    Raises BadCampaign.
    """
    for kind in NotificationType.objects.filter(active=True, commercial=True):
        if Channel.EMAIL in kind.channels:
            return kind
    raise BadCampaign(
        "There is no commercial message type offered by e-mail. Make one first, or name a type.",
        field="type",
    )


def words_of(campaign: Campaign) -> dict[str, str]:
    """Return {"subject", "html", "text"} in the default language of the newest version.

    Prefetch template__versions.
    """
    version = max(campaign.template.versions.all(), key=lambda each: each.number)
    parts = {each.language: each.parts for each in version.translations.all()}
    email = parts.get(version.default_language, {}).get("email", {})
    return {name: email.get(name, "") for name in ("subject", "html", "text")}
