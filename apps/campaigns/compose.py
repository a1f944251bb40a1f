"""Composing a campaign: a draft is made, changed and thrown away,
until it is scheduled or sent (lifecycle.py).
"""

import datetime as dt
from typing import Any

from django.db import transaction
from django.db.models import F

from apps.accounts.models import User
from apps.campaigns import pacing
from apps.campaigns.audience.audience import Audience
from apps.campaigns.models import Campaign, CampaignState
from apps.content import drafts
from apps.content.layouts import standard_layout
from apps.content.models import Layout, Template
from apps.followers.models import Channel, NotificationType
from apps.lib import ids, wallclock
from apps.lib.actor import Actor, ActorKind
from apps.lib.facts import Kind, tell
from apps.lib.refusals import RefusalKind, Refused, WrongState
from apps.notifications.notify import FARTHEST_YEARS

S = CampaignState
CONTENT = ("translations", "variables", "layout", "default_language")
COLUMNS = (
    "name", "notification_type", "channels", "audience", "data", "metadata", "tracking", "expires_at", "rate", "spread",
    "wall", "zone",
)  # fmt: skip


class StaleEdit(Refused):
    """Somebody else saved this campaign since it was opened."""

    kind = RefusalKind.STATE


class BadCampaign(Refused):
    """A value that can't be stored; `field` is the one to change."""


def create_campaign(
    *,
    name: str,
    notification_type: NotificationType,
    channels: list[str],
    by: Actor,
    now: dt.datetime,
    template: Template | None = None,
    copy_of: Campaign | None = None,
    translations: dict[str, Any] | None = None,
    variables: Any = (),
    layout: Layout | None = None,
    default_language: str = "en",
    audience: dict[str, Any] | None = None,
    data: dict[str, Any] | None = None,
    metadata: dict[str, Any] | None = None,
    tracking: bool = True,
) -> Campaign:
    """A draft with words of its own: copied from a library template or from another campaign,
    given, or blank.

    Without a layout, given or blank words get the standard one,
    so that no campaign goes out without a way to leave.

    Raises BadCampaign, audience.BadAudience.
    """
    uid = ids.uuid7()
    key = f"campaign-{uid.hex}"
    columns: dict[str, Any] = {
        "name": name,
        "channels": channels,
        "audience": audience or {},
        "data": data or {},
    }
    columns |= {"metadata": metadata or {}, "tracking": tracking}
    clean = _checked(columns, now=now)
    with transaction.atomic():
        source = template
        if copy_of:
            source = copy_of.template
        if source is not None:
            words = drafts.copy_template(
                template=source, key=key, name=name, private=True, by=by, now=now
            )
        else:
            try:
                words = drafts.create_template(
                    key=key,
                    name=name,
                    private=True,
                    translations=translations or {default_language: {}},
                    variables=variables,
                    layout=layout or standard_layout(),
                    default_language=default_language,
                    by=by,
                    now=now,
                )
            except drafts.BadWords as error:
                raise BadCampaign(str(error), field="translations") from error
        author = None
        if by.kind == ActorKind.STAFF:
            author = User.objects.filter(uid=by.id).first()
        campaign = Campaign.objects.create(
            uid=uid,
            template=words,
            notification_type=notification_type,
            created_by=author,
            created_at=now,
            updated_at=now,
            **clean,
        )
        if copy_of:
            origin = {"copy_of": str(copy_of.uid)}
        elif template:
            origin = {"template": template.key}
        else:
            origin = {}
        tell(Kind.CAMPAIGN_CREATED, by=by, now=now, about=campaign, data=origin)
    return campaign


def change_campaign(
    *, campaign: Campaign, by: Actor, now: dt.datetime, revision: int | None = None, **changes: Any
) -> Campaign:
    """Change a draft. Takes the columns in COLUMNS (`wall` is a naive datetime or None for "at
    once", with `zone`) and the words in CONTENT (content.drafts.edit_draft explains them).

    `revision` is the one the editor saw. Raises StaleEdit, WrongState,
    BadCampaign, audience.BadAudience.
    """
    if unknown := set(changes) - {*CONTENT, *COLUMNS}:
        raise TypeError(f"change_campaign knows no {', '.join(sorted(unknown))}.")
    columns = _checked({name: changes[name] for name in COLUMNS if name in changes}, now=now)
    words = {name: changes[name] for name in CONTENT if name in changes}
    with transaction.atomic():
        before = {name: _plain(getattr(campaign, name)) for name in columns}
        rows = Campaign.objects.filter(pk=campaign.pk, state=S.DRAFT)
        if revision is not None:
            rows = rows.filter(revision=revision)
        if not rows.update(**columns, updated_at=now, revision=F("revision") + 1):
            campaign.refresh_from_db()
            if campaign.state != S.DRAFT:
                raise WrongState(not_a_draft(campaign))
            raise StaleEdit(
                "Somebody else changed this campaign since you opened it. Reload, then make your change again."
            )
        if words:
            try:
                drafts.edit_draft(template=campaign.template, by=by, now=now, **words)
            except drafts.BadWords as error:
                raise BadCampaign(str(error), field="translations") from error
        campaign.refresh_from_db()
        after = {name: _plain(getattr(campaign, name)) for name in columns}
        changed = [name for name in columns if before[name] != after[name]]
        data: dict[str, Any] = {
            side: {name: values[name] for name in changed}
            for side, values in (("before", before), ("after", after))
        }
        if words:
            data["content"] = sorted(words)
        if changed or words:
            tell(Kind.CAMPAIGN_CHANGED, by=by, now=now, about=campaign, data=data)
    return campaign


def delete_draft(*, campaign: Campaign, by: Actor, now: dt.datetime) -> None:
    """Throw a draft and its words away. Raises WrongState."""
    with transaction.atomic():
        row = Campaign.objects.select_for_update().get(pk=campaign.pk)
        if row.state != S.DRAFT:
            raise WrongState(
                f"This campaign is {row.get_state_display().lower()}. Only drafts can be deleted."
            )
        tell(Kind.CAMPAIGN_DELETED, by=by, now=now, about=row)
        template = row.template
        row.delete()
        template.delete()


def not_a_draft(campaign: Campaign) -> str:
    if campaign.state == S.SCHEDULED:
        return "This campaign is scheduled. Take it off the schedule first, then change it."
    return f"This campaign is {campaign.get_state_display().lower()} and can't be changed any more. Copy it instead."


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, NotificationType):
        return value.key
    return value


def _checked(given: dict[str, Any], *, now: dt.datetime) -> dict[str, Any]:
    columns = dict(given)
    if "name" in columns:
        columns["name"] = columns["name"].strip()
        if not columns["name"] or len(columns["name"]) > 120:
            raise BadCampaign("Give the campaign a name of up to 120 characters.", field="name")
    if unknown := [
        channel for channel in columns.get("channels", []) if channel not in Channel.values
    ]:
        raise BadCampaign(
            f"{unknown[0]!r} is not a channel. Channels are: {', '.join(Channel.values)}.",
            field="channels",
        )
    for name in ("data", "metadata"):
        if not isinstance(columns.get(name, {}), dict):
            raise BadCampaign(f"“{name}” must be an object of names and values.", field=name)
    if "audience" in columns:
        columns["audience"] = Audience.parse(columns["audience"]).as_data()
    expiry = columns.get("expires_at")
    if expiry and abs(expiry.year - now.year) > FARTHEST_YEARS:
        raise BadCampaign(
            f"Choose an expiry within the next {FARTHEST_YEARS} years.", field="expires_at"
        )
    if found := pacing.wrong(columns):
        field, sentence = found
        raise BadCampaign(sentence, field=field)
    columns |= pacing.instead(columns)
    if "wall" in columns:
        wall = columns.pop("wall")
        zone = columns.pop("zone", "")
        if wall is not None:
            planned_moment(wall, zone, now=now)
        columns |= {
            "send_at_wall": wall and wall.replace(tzinfo=dt.UTC),
            "send_at_zone": zone if wall else "",
        }
    return columns


def planned_moment(wall: dt.datetime, zone: str, *, now: dt.datetime) -> wallclock.Moment:
    """The instant of a wall time.

    Raises BadCampaign: no such zone, a time that the clocks skip, the past, too far.
    """
    if (
        abs(wall.year - now.year) > FARTHEST_YEARS
    ):  # near the ends of the calendar no zone can be reckoned with
        raise BadCampaign(f"Choose a time within the next {FARTHEST_YEARS} years.", field="wall")
    try:
        moment = wallclock.to_instant(wall, zone)
    except wallclock.UnknownZone as error:
        raise BadCampaign(str(error), field="zone") from error
    except wallclock.MissingTime as error:
        raise BadCampaign(str(error), field="wall") from error
    if moment.instant <= now:
        local = now.astimezone(wallclock.zone(zone))
        raise BadCampaign(
            f"{wall:%d %B %Y %H:%M} has passed: it is {local:%H:%M} on {local:%d %B %Y} in {zone}. "
            "Choose a later time, or send now.",
            field="wall",
        )
    return moment
