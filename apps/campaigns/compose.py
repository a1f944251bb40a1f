"""Composing a campaign: a draft is created, changed and deleted.

What is scheduled or sent is lifecycle.py's.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.campaigns import pacing
from apps.campaigns.audience.audience import Audience
from apps.campaigns.models import Campaign, CampaignState
from apps.content import drafts
from apps.content.drafts import DraftValues, Words
from apps.content.layouts import standard_layout
from apps.content.models import Layout, Template
from apps.followers.models import Channel, NotificationType
from apps.lib import ids, wallclock
from apps.lib.actor import Actor, ActorKind
from apps.lib.facts import Kind, tell
from apps.lib.partial import UNSET, Unset, given, merged
from apps.lib.refusals import NOT_FOUND, NOT_NOW, RefusalKind, Refused, WrongState
from apps.lib.written import written
from apps.notifications.notify import FARTHEST_YEARS

S = CampaignState


class StaleEdit(Refused):
    """Somebody else saved this campaign since it was opened."""

    kind = RefusalKind.STATE


class BadCampaign(Refused):
    """A value that can't be stored; `field` is the one to change."""


@dataclass(frozen=True, slots=True)
class CampaignValues:
    """What people decide about a campaign: columns of Campaign, then its words (DraftValues).

    `wall` is a naive datetime, or None for "at once", with its `zone`.
    """

    name: str | Unset = UNSET
    notification_type: NotificationType | Unset = UNSET
    channels: Sequence[str] | Unset = UNSET
    audience: Mapping[str, Any] | Unset = UNSET
    data: Mapping[str, Any] | Unset = UNSET
    metadata: Mapping[str, Any] | Unset = UNSET
    tracking: bool | Unset = UNSET
    expires_at: dt.datetime | Unset | None = UNSET
    rate: float | Unset | None = UNSET
    spread: int | Unset | None = UNSET
    wall: dt.datetime | Unset | None = UNSET
    zone: str | Unset = UNSET
    translations: Mapping[str, Words | None] | Unset = UNSET
    kept: Iterable[str] | Unset = UNSET
    variables: Iterable[Mapping[str, Any]] | Unset = UNSET
    layout: Layout | Unset | None = UNSET
    default_language: str | Unset = UNSET

    def columns(self) -> dict[str, Any]:
        said = given(self)
        return {name: said[name] for name in said if name not in _WORDS}

    def words(self) -> DraftValues:
        return DraftValues(
            translations=self.translations,
            kept=self.kept,
            variables=self.variables,
            layout=self.layout,
            default_language=self.default_language,
        )


_WORDS = {each.name for each in fields(DraftValues)}


def create_campaign(
    *,
    values: CampaignValues,
    template: Template | None = None,
    copy_of: Campaign | None = None,
    by: Actor,
    now: dt.datetime,
) -> Campaign:
    """Create a draft with words of its own.

    They are copied from a library template or from another campaign, or those of `values`, or
    blank. Words that are not copied get the standard layout where none is named, so that no
    campaign goes out without a way to leave.

    Raises BadCampaign, audience.BadAudience.
    """
    uid = ids.uuid7()
    columns = _checked({"audience": {}} | values.columns(), now=now)
    columns["metadata"] = merged({}, columns.get("metadata", {}))
    source = template
    if copy_of is not None:
        source = copy_of.template
    with transaction.atomic():
        campaign = Campaign(uid=uid, created_at=now, updated_at=now, **columns)
        if source is None:
            campaign.template = _new_words(campaign, values, by=by, now=now)
        else:
            campaign.template = drafts.copy_template(
                template=source,
                key=_key_of(campaign),
                name=campaign.name,
                private=True,
                by=by,
                now=now,
            )
        if by.kind == ActorKind.STAFF:
            campaign.created_by = User.objects.filter(uid=by.id).first()
        campaign.save()
        origin = {}
        if copy_of is not None:
            origin = {"copy_of": str(copy_of.uid)}
        elif template is not None:
            origin = {"template": template.key}
        tell(Kind.CAMPAIGN_CREATED, by=by, now=now, about=campaign, data=origin)
    return campaign


def _new_words(
    campaign: Campaign, values: CampaignValues, *, by: Actor, now: dt.datetime
) -> Template:
    said = given(values.words())
    language = said.get("default_language", "en")
    translations = said.get("translations", {})
    # a language that is taken away is not there yet
    there = {tag: words for tag, words in translations.items() if words is not None}
    try:
        return drafts.create_template(
            key=_key_of(campaign),
            name=campaign.name,
            private=True,
            translations=there or {language: {}},
            variables=said.get("variables", ()),
            layout=said.get("layout") or standard_layout(),
            default_language=language,
            by=by,
            now=now,
        )
    except drafts.BadWords as error:
        raise BadCampaign(str(error), field="translations", cause=error.cause) from error


def _key_of(campaign: Campaign) -> str:
    return f"campaign-{campaign.uid.hex}"


def change_campaign(
    *,
    campaign: Campaign,
    values: CampaignValues,
    revision: int | None = None,
    by: Actor,
    now: dt.datetime,
) -> Campaign:
    """Change a draft; returns it as it is now. Metadata is merged by key, None removes one.

    `revision` is the one the editor saw. Raises StaleEdit, WrongState, BadCampaign,
    audience.BadAudience.
    """
    columns = _checked(values.columns(), now=now)
    words = given(values.words())
    with transaction.atomic():
        row = Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
        if row.state != S.DRAFT:
            raise WrongState(not_a_draft(row))
        if revision is not None and row.revision != revision:
            raise StaleEdit(
                _(
                    "Somebody else changed this campaign since you opened it. "
                    "Reload, then make your change again."
                )
            )
        if "metadata" in columns:
            columns["metadata"] = merged(row.metadata, columns["metadata"])
        before = {name: _plain(getattr(row, name)) for name in columns}
        for name, value in columns.items():
            setattr(row, name, value)
        row.updated_at = now
        row.revision += 1
        row.save(update_fields=[*columns, "updated_at", "revision"])
        if words:
            _edit_words(row, values.words(), by=by, now=now)
        after = {name: _plain(getattr(row, name)) for name in columns}
        changed = [name for name in columns if before[name] != after[name]]
        data: dict[str, Any] = {
            "before": {name: before[name] for name in changed},
            "after": {name: after[name] for name in changed},
        }
        if words:
            data["content"] = sorted(words)
        if changed or words:
            tell(Kind.CAMPAIGN_CHANGED, by=by, now=now, about=row, data=data)
    return row


def _edit_words(campaign: Campaign, words: DraftValues, *, by: Actor, now: dt.datetime) -> None:
    try:
        drafts.edit_draft(template=campaign.template, values=words, by=by, now=now)
    except drafts.BadWords as error:
        raise BadCampaign(str(error), field="translations", cause=error.cause) from error


def delete_campaign(*, campaign: Campaign, by: Actor, now: dt.datetime) -> None:
    """Throw a draft and its words away. Raises WrongState."""
    with transaction.atomic():
        row = Campaign.objects.select_for_update().get(pk=campaign.pk)
        if row.state != S.DRAFT:
            said = _("This campaign is {state}. Only drafts can be deleted.")
            raise WrongState(said.format(state=row.state_word))
        tell(Kind.CAMPAIGN_DELETED, by=by, now=now, about=row)
        template = row.template
        row.delete()
        template.delete()


def not_a_draft(campaign: Campaign) -> str:
    """Say why it can't be changed, and what to do instead."""
    if campaign.state == S.SCHEDULED:
        return _("This campaign is scheduled. Take it off the schedule first, then change it.")
    said = _("This campaign is {state} and can't be changed any more. Copy it instead.")
    return said.format(state=campaign.state_word)


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, NotificationType):
        return value.key
    return value


def _checked(said: dict[str, Any], *, now: dt.datetime) -> dict[str, Any]:
    """Check the values that were given and make them columns of Campaign."""
    columns = dict(said)
    if "name" in columns:
        columns["name"] = columns["name"].strip()
        if not columns["name"] or len(columns["name"]) > 120:
            problem = _("Give the campaign a name of up to 120 characters.")
            raise BadCampaign(problem, field="name")
    if "channels" in columns:
        columns["channels"] = list(columns["channels"])
        _check_channels(columns["channels"])
    for name in ("data", "metadata"):
        if not isinstance(columns.get(name, {}), dict):
            problem = _("“{field}” must be an object of names and values.").format(field=name)
            raise BadCampaign(problem, field=name)
    if "audience" in columns:
        columns["audience"] = Audience.parse(columns["audience"]).as_data()
    expiry = columns.get("expires_at")
    if expiry and abs(expiry.year - now.year) > FARTHEST_YEARS:
        problem = _("Choose an expiry within the next {years} years.")
        raise BadCampaign(problem.format(years=FARTHEST_YEARS), field="expires_at", cause=NOT_NOW)
    if found := pacing.wrong(columns):
        field, sentence = found
        raise BadCampaign(sentence, field=field)
    columns |= pacing.instead(columns)
    zone = columns.pop("zone", "")
    if "wall" in columns:
        columns |= _planned(columns.pop("wall"), zone, now=now)
    return columns


def _check_channels(channels: Sequence[str]) -> None:
    for channel in channels:
        if channel not in Channel.values:
            said = _("{channel!r} is not a channel. Channels are: {known}.")
            known = ", ".join(Channel.values)
            raise BadCampaign(said.format(channel=channel, known=known), field="channels")


def _planned(wall: dt.datetime | None, zone: str, *, now: dt.datetime) -> dict[str, Any]:
    if wall is None:
        return {"send_at_wall": None, "send_at_zone": ""}
    planned_moment(wall, zone, now=now)
    return {"send_at_wall": wall.replace(tzinfo=dt.UTC), "send_at_zone": zone}


def planned_moment(wall: dt.datetime, zone: str, *, now: dt.datetime) -> wallclock.Moment:
    """Find the instant of a wall time.

    Raises BadCampaign: no such zone, a time that the clocks skip, the past, too far.
    """
    # near the ends of the calendar no zone can be reckoned with
    if abs(wall.year - now.year) > FARTHEST_YEARS:
        said = _("Choose a time within the next {years} years.").format(years=FARTHEST_YEARS)
        raise BadCampaign(said, field="wall", cause=NOT_NOW)
    try:
        moment = wallclock.to_instant(wall, zone)
    except wallclock.UnknownZone as error:
        raise BadCampaign(str(error), field="zone", cause=NOT_FOUND) from error
    except wallclock.MissingTime as error:
        raise BadCampaign(str(error), field="wall", cause=NOT_NOW) from error
    if moment.instant <= now:
        raise BadCampaign(_passed(wall, zone, now=now), field="wall", cause=NOT_NOW)
    return moment


def _passed(wall: dt.datetime, zone: str, *, now: dt.datetime) -> str:
    local = now.astimezone(wallclock.zone(zone))
    said = _(
        "{moment} has passed: it is {time} on {day} in {zone}. Choose a later time, or send now."
    )
    return said.format(
        moment=written(wall, "dd MMMM y HH:mm"),
        time=f"{local:%H:%M}",
        day=written(local, "dd MMMM y"),
        zone=zone,
    )
