"""A campaign's way from draft to sent. The only writer of `Campaign.state`.

draft → scheduled → sending ⇄ paused → sent; cancelled from scheduled, sending or paused; archived from draft, sent or
cancelled. Each step is one conditional UPDATE on the state, so of two people who press at once one acts and the other
finds it done.

Locks are always taken in the same order, notification before campaign, because a sender that finishes the
notification tells the campaign (`follow`) in the same transaction.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import F

from apps.accounts.models import User
from apps.campaigns import audience as audiences
from apps.campaigns import pacing
from apps.campaigns.models import Campaign, CampaignState, Run
from apps.campaigns.readiness import Problem, problems
from apps.content import drafts
from apps.content.layouts import standard_layout
from apps.content.models import Layout, Template, VersionState
from apps.content.problems import NotPublishable
from apps.followers.models import Channel, NotificationType
from apps.lib import ids, wallclock
from apps.lib.actor import SYSTEM, Actor, ActorKind
from apps.lib.events import Fact, Kind, publish
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane
from apps.notifications import control
from apps.notifications.balance import balance
from apps.notifications.control import CAMPAIGN
from apps.notifications.models import DeliveryStatus, Notification, NotificationState
from apps.notifications.notify import FARTHEST_YEARS, NotNotifiable, open_notification

LAUNCH_TASK = "apps.campaigns.launch.launch"
S = CampaignState


class WrongState(ValueError):
    """The campaign is not in a state that allows this; the text says in which one it is and what to do."""


class StaleEdit(ValueError):
    """Somebody else saved this campaign since it was opened."""


class BadCampaign(ValueError):
    """A value that can't be stored; `field` is the one to change."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class CampaignNotReady(ValueError):
    """It can't go out yet; `problems` has everything that is missing."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(" ".join(problem.message for problem in problems))
        self.problems = problems


# ------------------------------------------------------------------ compose
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
    """A draft with words of its own: copied from a library template or from another campaign, given, or blank.

    Without a layout, given or blank words get the standard one, so that no campaign goes out without a way to leave.

    Raises BadCampaign, audience.BadAudience.
    """
    uid = ids.uuid7()
    key = f"campaign-{uid.hex}"
    columns: dict[str, Any] = {"name": name, "channels": channels, "audience": audience or {}, "data": data or {}}
    columns |= {"metadata": metadata or {}, "tracking": tracking}
    clean = _checked(columns, now=now)
    with transaction.atomic():
        source = copy_of.template if copy_of else template
        if source is not None:
            words = drafts.copy_template(template=source, key=key, name=name, private=True, by=by, now=now)
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
                raise BadCampaign("translations", str(error)) from error
        author = User.objects.filter(uid=by.id).first() if by.kind == ActorKind.STAFF else None
        campaign = Campaign.objects.create(
            uid=uid,
            template=words,
            notification_type=notification_type,
            created_by=author,
            created_at=now,
            updated_at=now,
            **clean,
        )
        origin = {"copy_of": str(copy_of.uid)} if copy_of else {"template": template.key} if template else {}
        _tell(Kind.CAMPAIGN_CREATED, campaign, by=by, now=now, data=origin)
    return campaign


CONTENT = ("translations", "variables", "layout", "default_language")
COLUMNS = (
    "name", "notification_type", "channels", "audience", "data", "metadata", "tracking", "expires_at", "rate", "spread",
    "wall", "zone",
)  # fmt: skip


def change_campaign(
    *, campaign: Campaign, by: Actor, now: dt.datetime, revision: int | None = None, **changes: Any
) -> Campaign:
    """Change a draft. Takes the columns in COLUMNS (`wall` is a naive datetime or None for "at once", with `zone`)
    and the words in CONTENT (content.drafts.edit_draft explains them).

    `revision` is the one the editor saw. Raises StaleEdit, WrongState, BadCampaign, audience.BadAudience.
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
                raise WrongState(_not_a_draft(campaign))
            raise StaleEdit(
                "Somebody else changed this campaign since you opened it. Reload, then make your change again."
            )
        if words:
            try:
                drafts.edit_draft(template=campaign.template, by=by, now=now, **words)
            except drafts.BadWords as error:
                raise BadCampaign("translations", str(error)) from error
        campaign.refresh_from_db()
        after = {name: _plain(getattr(campaign, name)) for name in columns}
        changed = [name for name in columns if before[name] != after[name]]
        data: dict[str, Any] = {
            side: {name: values[name] for name in changed} for side, values in (("before", before), ("after", after))
        }
        if words:
            data["content"] = sorted(words)
        if changed or words:
            _tell(Kind.CAMPAIGN_CHANGED, campaign, by=by, now=now, data=data)
    return campaign


def _not_a_draft(campaign: Campaign) -> str:
    if campaign.state == S.SCHEDULED:
        return "This campaign is scheduled. Take it off the schedule first, then change it."
    return f"This campaign is {campaign.get_state_display().lower()} and can't be changed any more. Copy it instead."


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.isoformat()
    return value.key if isinstance(value, NotificationType) else value


def _checked(given: dict[str, Any], *, now: dt.datetime) -> dict[str, Any]:
    columns = dict(given)
    if "name" in columns:
        columns["name"] = columns["name"].strip()
        if not columns["name"] or len(columns["name"]) > 120:
            raise BadCampaign("name", "Give the campaign a name of up to 120 characters.")
    if unknown := [channel for channel in columns.get("channels", []) if channel not in Channel.values]:
        raise BadCampaign("channels", f"{unknown[0]!r} is not a channel. Channels are: {', '.join(Channel.values)}.")
    for name in ("data", "metadata"):
        if not isinstance(columns.get(name, {}), dict):
            raise BadCampaign(name, f"“{name}” must be an object of names and values.")
    if "audience" in columns:
        columns["audience"] = audiences.validate(columns["audience"])
    expiry = columns.get("expires_at")
    if expiry and abs(expiry.year - now.year) > FARTHEST_YEARS:
        raise BadCampaign("expires_at", f"Choose an expiry within the next {FARTHEST_YEARS} years.")
    if found := pacing.wrong(columns):
        raise BadCampaign(*found)
    columns |= pacing.instead(columns)
    if "wall" in columns:
        wall, zone = columns.pop("wall"), columns.pop("zone", "")
        if wall is not None:
            planned_moment(wall, zone, now=now)
        columns |= {"send_at_wall": wall and wall.replace(tzinfo=dt.UTC), "send_at_zone": zone if wall else ""}
    return columns


def planned_moment(wall: dt.datetime, zone: str, *, now: dt.datetime) -> wallclock.Moment:
    """The instant of a wall time. Raises BadCampaign: no such zone, a time that the clocks skip, the past, too far."""
    if abs(wall.year - now.year) > FARTHEST_YEARS:  # near the ends of the calendar no zone can be reckoned with
        raise BadCampaign("wall", f"Choose a time within the next {FARTHEST_YEARS} years.")
    try:
        moment = wallclock.to_instant(wall, zone)
    except wallclock.UnknownZone as error:
        raise BadCampaign("zone", str(error)) from error
    except wallclock.MissingTime as error:
        raise BadCampaign("wall", str(error)) from error
    if moment.instant <= now:
        local = now.astimezone(wallclock.zone(zone))
        raise BadCampaign(
            "wall",
            f"{wall:%d %B %Y %H:%M} has passed: it is {local:%H:%M} on {local:%d %B %Y} in {zone}. "
            "Choose a later time, or send now.",
        )
    return moment


def delete_draft(*, campaign: Campaign, by: Actor, now: dt.datetime) -> None:
    """Throw a draft and its words away. Raises WrongState."""
    with transaction.atomic():
        row = Campaign.objects.select_for_update().get(pk=campaign.pk)
        if row.state != S.DRAFT:
            raise WrongState(f"This campaign is {row.get_state_display().lower()}. Only drafts can be deleted.")
        _tell(Kind.CAMPAIGN_DELETED, row, by=by, now=now)
        template = row.template
        row.delete()
        template.delete()


# ------------------------------------------------------------------ schedule and send
def schedule(*, campaign: Campaign, wall: dt.datetime, zone: str, by: Actor, now: dt.datetime) -> Campaign:
    """Send at a wall time (naive) in a named zone. A time that happens twice means the first; the history says so.

    Raises BadCampaign (time), CampaignNotReady, WrongState. The same time again changes nothing.
    """
    moment = planned_moment(wall, zone, now=now)
    with transaction.atomic():
        wall_columns = {"send_at_wall": wall.replace(tzinfo=dt.UTC), "send_at_zone": zone, "send_at": moment.instant}
        if not _move(campaign, (S.DRAFT,), S.SCHEDULED, now=now, **wall_columns):
            if campaign.state == S.SCHEDULED and campaign.send_at == moment.instant:
                return campaign
            raise WrongState(_not_a_draft(campaign))
        _make_ready(campaign, by=by, now=now)
        said = {"send_at": moment.instant.isoformat(), "wall": f"{wall:%Y-%m-%d %H:%M}", "zone": zone}
        _tell(Kind.CAMPAIGN_SCHEDULED, campaign, by=by, now=now, data=said | {"repeated_hour": moment.repeated})
    return campaign


def unschedule(*, campaign: Campaign, by: Actor, now: dt.datetime, because: list[Problem] | None = None) -> Campaign:
    """Back to draft; the time stays filled in. Raises WrongState."""
    with transaction.atomic():
        if not _move(campaign, (S.SCHEDULED,), S.DRAFT, now=now, send_at=None):
            raise WrongState(f"This campaign is {campaign.get_state_display().lower()}, not scheduled.")
        data = {"problems": [problem.message for problem in because]} if because else {}
        _tell(Kind.CAMPAIGN_UNSCHEDULED, campaign, by=by, now=now, data=data)
    return campaign


def send_now(*, campaign: Campaign, by: Actor, now: dt.datetime) -> Run:
    """Start sending. Pressed twice, the second press gets the run of the first.

    Raises CampaignNotReady, WrongState.
    """
    with transaction.atomic():
        if not _move(campaign, (S.DRAFT, S.SCHEDULED), S.SENDING, now=now, send_at=now):
            if campaign.state in (S.SENDING, S.SENT) and (run := campaign.runs.first()):
                return run
            raise WrongState(f"This campaign is {campaign.get_state_display().lower()}. {_HINTS[S(campaign.state)]}")
        _make_ready(campaign, by=by, now=now)
        return _open_run(campaign, by=by, now=now)


_HINTS = {
    S.DRAFT: "Finish it first.",
    S.SCHEDULED: "It starts by itself at its time.",
    S.SENDING: "It is on its way.",
    S.PAUSED: "Resume it instead.",
    S.SENT: "Copy it to send it again.",
    S.CANCELLED: "Copy it to send it again.",
    S.ARCHIVED: "Copy it to send it again.",
}


def start_scheduled(*, campaign: Campaign, now: dt.datetime) -> Run | None:
    """Start a campaign whose time has come; None if somebody else did, or took it off the schedule.

    One that can't go out any more (its tag was deleted, its type switched off) goes back to draft with the reason.
    """
    with transaction.atomic():
        due = Campaign.objects.filter(pk=campaign.pk, send_at__lte=now)
        if not _move(campaign, (S.SCHEDULED,), S.SENDING, now=now, rows=due):
            return None
        found = problems(campaign, now=now, starting=True)
        if not found:
            try:
                with transaction.atomic():
                    return _open_run(campaign, by=SYSTEM, now=now)
            except CampaignNotReady as error:
                found = error.problems
        _move(campaign, (S.SENDING,), S.SCHEDULED, now=now)
        unschedule(campaign=campaign, by=SYSTEM, now=now, because=found)
        return None


def _make_ready(campaign: Campaign, *, by: Actor, now: dt.datetime) -> None:
    """Publish the campaign's own words, unless something is missing. Raises CampaignNotReady, which rolls all back."""
    if found := problems(campaign, now=now):
        raise CampaignNotReady(found)
    if campaign.template.versions.filter(state=VersionState.DRAFT).exists():
        try:
            drafts.publish(template=campaign.template, by=by, now=now)
        except NotPublishable as error:
            found = [Problem("content", str(problem)) for problem in error.problems]
            raise CampaignNotReady(found) from error


def _open_run(campaign: Campaign, *, by: Actor, now: dt.datetime) -> Run:
    version = drafts.published_version(campaign.template)
    assert version is not None  # noqa: S101  (_make_ready published it)
    try:
        notification = open_notification(
            notification_type=campaign.notification_type,
            version=version,
            channels=campaign.channels,
            data=campaign.data,
            expires_at=campaign.expires_at,
            tracked=campaign.tracking,
            rate=campaign.rate,
            spread=campaign.spread,
            source=CAMPAIGN,
            lane=Lane.BULK,
            by=by,
            now=now,
        )
    except NotNotifiable as error:
        raise CampaignNotReady([Problem("content", str(error))]) from error
    frozen = audiences.freeze(campaign.audience)
    run = Run.objects.create(campaign=campaign, notification=notification, audience=frozen, started_at=now)
    announce(LAUNCH_TASK, lane=Lane.BULK, run_id=run.pk)
    _tell(Kind.CAMPAIGN_STARTED, campaign, by=by, now=now, data={"run": run.number})
    return run


# ------------------------------------------------------------------ while it is under way
def pause(*, campaign: Campaign, by: Actor, now: dt.datetime) -> dict[str, int]:
    """Nothing more is handed over until `resume`. Returns `counts`. Raises WrongState."""
    with transaction.atomic():
        notification = _locked(campaign)
        if notification is None or not _move(campaign, (S.SENDING,), S.PAUSED, now=now):
            raise WrongState(f"This campaign is {_state_now(campaign)}; only one that is sending can be paused.")
        if notification.state != NotificationState.PAUSED:  # the notification has buttons of its own
            control.pause(notification=notification, by=by, now=now)
        said = counts(notification)
        _tell(Kind.CAMPAIGN_PAUSED, campaign, by=by, now=now, data=said)
    control.wait_until_still(notification)
    return counts(notification)


def resume(*, campaign: Campaign, by: Actor, now: dt.datetime) -> dict[str, int]:
    """Go on where `pause` stopped; nobody gets it twice. Returns `counts`. Raises WrongState."""
    with transaction.atomic():
        notification = _locked(campaign)
        if notification is None or not _move(campaign, (S.PAUSED,), S.SENDING, now=now):
            raise WrongState(f"This campaign is {_state_now(campaign)}; only a paused one can be resumed.")
        if notification.state == NotificationState.PAUSED:
            control.resume(notification=notification, by=by, now=now)
        announce(LAUNCH_TASK, lane=Lane.BULK, run_id=notification.run.pk)  # it may have been paused while planning
        said = counts(notification)
        _tell(Kind.CAMPAIGN_RESUMED, campaign, by=by, now=now, data=said)
    return said


def cancel(*, campaign: Campaign, by: Actor, now: dt.datetime) -> dict[str, int]:
    """Stop for good. Returns `counts`, all 0 if it had not started. Raises WrongState."""
    with transaction.atomic():
        notification = _locked(campaign)
        moved = notification is None and _move(campaign, (S.SCHEDULED,), S.CANCELLED, now=now)
        if not moved:
            # it may have been started just now: its notification must not go out behind a cancelled campaign
            notification = notification or _locked(campaign)
            moved = notification is not None and _move(campaign, (S.SENDING, S.PAUSED), S.CANCELLED, now=now)
        if not moved:
            raise WrongState(f"This campaign is {_state_now(campaign)}; there is nothing to cancel.")
        said = dict.fromkeys(("total", "handed_off", "in_flight", "waiting", "cancelled"), 0)
        if notification is not None:
            control.cancel(notification=notification, by=by, now=now)
            said = counts(notification)
        _tell(Kind.CAMPAIGN_CANCELLED, campaign, by=by, now=now, data=said)
    if notification is None:
        return said
    control.wait_until_still(notification)
    return counts(notification)


def counts(notification: Notification) -> dict[str, int]:
    """Where its messages stand: {"total", "handed_off", "in_flight", "waiting", "cancelled"}, from the tallies.

    `in_flight` ones are being handed over at this moment (at most a slice per sender) and can still go either way.
    """
    rows = balance(notification).rows
    over = notification.state == NotificationState.CANCELLED  # a task marks the rest: as cancelled as the others

    def of(*statuses: DeliveryStatus) -> int:
        return sum(count for (_, status, _), count in rows.items() if status in statuses)

    return {
        "total": sum(rows.values()),
        "handed_off": of(DeliveryStatus.SENT, DeliveryStatus.DELIVERED, DeliveryStatus.IN_DOUBT),
        "in_flight": of(DeliveryStatus.QUEUED),
        "waiting": 0 if over else of(*control.UNTAKEN),
        "cancelled": of(DeliveryStatus.CANCELLED, *(control.UNTAKEN if over else ())),
    }


def retry_failed(*, campaign: Campaign, by: Actor, now: dt.datetime) -> int:
    """Put what failed back into the queue; returns how many. Raises WrongState."""
    with transaction.atomic():
        notification = _locked(campaign)
        campaign.refresh_from_db()
        if notification is None or campaign.state not in (S.SENT, S.SENDING):
            raise WrongState(f"This campaign is {_state_now(campaign)}; failed messages are retried once it was sent.")
        number = control.retry_failed(notification=notification, by=by, now=now)
        campaign.refresh_from_db()  # `follow` has set it going again
    return number


def archive(*, campaign: Campaign, by: Actor, now: dt.datetime) -> Campaign:
    """Out of sight, nothing lost. A second time changes nothing. Raises WrongState."""
    with transaction.atomic():
        if not _move(campaign, (S.DRAFT, S.SENT, S.CANCELLED), S.ARCHIVED, now=now):
            if campaign.state == S.ARCHIVED:
                return campaign
            raise WrongState(f"This campaign is {_state_now(campaign)}. Cancel it first, then archive it.")
        _tell(Kind.CAMPAIGN_ARCHIVED, campaign, by=by, now=now)
    return campaign


def follow(facts: Sequence[Fact]) -> None:
    """Hears what happened to notifications themselves (wired in the project): the campaigns behind them keep up.

    Some of one may be sent again from another page; then the campaign is sending again, and can be stopped.
    """
    by_campaigns = {fact.subject_id: fact for fact in facts if fact.data.get("source", CAMPAIGN) == CAMPAIGN}
    if not by_campaigns:  # a program's messages end by the hundred
        return
    runs = Run.objects.filter(notification__uid__in=by_campaigns).select_related("campaign", "notification")
    for run in runs.order_by("pk"):
        fact = by_campaigns[str(run.notification.uid)]
        wanted, to, told = _FOLLOWS[fact.kind]
        if _move(run.campaign, wanted, to, now=fact.at) and told:
            _tell(told, run.campaign, by=fact.by, now=fact.at, data={"run": run.number})


_FOLLOWS: dict[Kind, tuple[tuple[CampaignState, ...], CampaignState, Kind | None]] = {
    Kind.NOTIFICATION_FINISHED: ((S.SENDING,), S.SENT, Kind.CAMPAIGN_FINISHED),
    Kind.NOTIFICATION_CANCELLED: ((S.SENDING, S.PAUSED), S.CANCELLED, Kind.CAMPAIGN_CANCELLED),
    Kind.NOTIFICATION_REOPENED: ((S.SENT, S.ARCHIVED), S.SENDING, None),
}


# ------------------------------------------------------------------ plumbing
def _move(
    campaign: Campaign, wanted: tuple[CampaignState, ...], to: CampaignState, *, now: dt.datetime, rows: Any = None,
    **columns: Any,
) -> bool:  # fmt: skip
    """Change the state if it is (still) one of `wanted`; the object is fresh afterwards either way."""
    rows = Campaign.objects.filter(pk=campaign.pk) if rows is None else rows
    moved = rows.filter(state__in=wanted).update(state=to, updated_at=now, **columns)
    campaign.refresh_from_db()
    return bool(moved)


def _locked(campaign: Campaign) -> Notification | None:
    """The notification of the campaign's latest run, locked first (see the top)."""
    runs = Run.objects.filter(campaign=campaign).order_by("-number")
    return Notification.objects.select_for_update(no_key=True).filter(pk__in=runs.values("notification")[:1]).first()


def _state_now(campaign: Campaign) -> str:
    campaign.refresh_from_db(fields=["state"])
    return campaign.get_state_display().lower()


def _tell(kind: Kind, campaign: Campaign, *, by: Actor, now: dt.datetime, data: dict[str, Any] | None = None) -> None:
    publish(Fact(kind, by, now, "campaign", str(campaign.uid), campaign.name, data or {}))
