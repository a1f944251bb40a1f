"""A campaign's way from draft to sent. The only writer of `Campaign.state`.

draft → scheduled → sending ⇄ paused → sent; cancelled from scheduled, sending, paused, or from sent
while digests wait; archived from draft, sent or cancelled. Sent is what has left but for its
readers' digests, which may take a week. Each step is one conditional UPDATE on the state, so of two
people who press at once one acts and the other finds it done.

Locks are always taken in the same order, notification before campaign, because a sender that
finishes the notification tells the campaign (`follow`) in the same transaction.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.campaigns.audience.audience import Audience
from apps.campaigns.compose import not_a_draft, planned_moment
from apps.campaigns.digests import for_digests, only_held
from apps.campaigns.models import Campaign, CampaignState, Run
from apps.campaigns.readiness import Missing, examine
from apps.content import drafts
from apps.content.models import VersionState
from apps.content.problems import NotPublishable
from apps.lib.actor import SYSTEM, Actor
from apps.lib.facts import Fact, Kind, tell
from apps.lib.processes.ticking import only_with
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane
from apps.lib.refusals import RefusalKind, Refused, WrongState
from apps.notifications import control, replay
from apps.notifications.control import counts
from apps.notifications.models import Notification, NotificationState, Source
from apps.notifications.notify import Intent, NotNotifiable, open_notification

LAUNCH_TASK = "apps.campaigns.launch.launch"
S = CampaignState


class CampaignNotReady(Refused):
    """A campaign that can't go out yet; `problems` has everything that is missing."""

    kind = RefusalKind.STATE

    def __init__(self, problems: Sequence[Missing]) -> None:
        super().__init__(" ".join(problem.message for problem in problems))
        self.problems = problems

    @property
    def faults(self) -> list[tuple[str, str]]:
        return [(problem.step, problem.message) for problem in self.problems]


# ------------------------------------------------------------------ schedule and send
def schedule(
    *, campaign: Campaign, wall: dt.datetime, zone: str, by: Actor, now: dt.datetime
) -> Campaign:
    """Send at a wall time (naive) in a named zone.

    A time that happens twice means the first; the history says so. The same time again changes
    nothing. Raises BadCampaign (time), CampaignNotReady, WrongState.
    """
    moment = planned_moment(wall, zone, now=now)
    with transaction.atomic():
        moved = _move(
            campaign,
            (S.DRAFT,),
            S.SCHEDULED,
            now=now,
            send_at=moment.instant,
            send_at_wall=wall.replace(tzinfo=dt.UTC),
            send_at_zone=zone,
        )
        if not moved:
            if campaign.state == S.SCHEDULED and campaign.send_at == moment.instant:
                return campaign
            raise WrongState(not_a_draft(campaign))
        _make_ready(campaign, by=by, now=now)
        said = {
            "send_at": moment.instant.isoformat(),
            "wall": f"{wall:%Y-%m-%d %H:%M}",
            "zone": zone,
            "repeated_hour": moment.repeated,
        }
        tell(Kind.CAMPAIGN_SCHEDULED, by=by, now=now, about=campaign, data=said)
    return campaign


def unschedule(
    *, campaign: Campaign, by: Actor, now: dt.datetime, because: Sequence[Missing] = ()
) -> Campaign:
    """Back to draft; the time stays filled in. A draft stays as it is. Raises WrongState."""
    with transaction.atomic():
        if not _move(campaign, (S.SCHEDULED,), S.DRAFT, now=now, send_at=None):
            if campaign.state == S.DRAFT:
                return campaign
            problem = gettext("This campaign is {state}, not scheduled.")
            raise WrongState(problem.format(state=campaign.state_word))
        data = {}
        if because:
            data = {"problems": [problem.message for problem in because]}
        tell(Kind.CAMPAIGN_UNSCHEDULED, by=by, now=now, about=campaign, data=data)
    return campaign


def send_now(*, campaign: Campaign, by: Actor, now: dt.datetime) -> Run:
    """Start sending. Pressed twice, the second press gets the run of the first.

    Raises CampaignNotReady, WrongState.
    """
    with transaction.atomic():
        if not _move(campaign, (S.DRAFT, S.SCHEDULED), S.SENDING, now=now, send_at=now):
            if campaign.state in (S.SENDING, S.SENT) and (run := campaign.runs.first()):
                return run
            problem = _SENT_ALREADY[S(campaign.state)]
            raise WrongState(problem.format(state=campaign.state_word))
        audience = _make_ready(campaign, by=by, now=now)
        return _open_run(campaign, audience, by=by, now=now)


_AGAIN = _("This campaign is {state}. Copy it to send it once more.")
_SENT_ALREADY = {
    S.DRAFT: _("This campaign is {state}. Finish it first."),
    S.SCHEDULED: _("This campaign is {state}. It starts by itself at its time."),
    S.SENDING: _("This campaign is {state}. It is on its way."),
    S.PAUSED: _("This campaign is {state}. Resume it instead."),
    S.SENT: _AGAIN,
    S.CANCELLED: _AGAIN,
    S.ARCHIVED: _AGAIN,
}


def start_scheduled(*, campaign: Campaign, now: dt.datetime) -> Run | None:
    """Start a campaign whose time has come.

    None if somebody else did, or took it off the schedule. One that can't go out any more (its tag
    was deleted, its type switched off) goes back to draft with the reason.
    """
    with transaction.atomic():
        due = Campaign.objects.filter(pk=campaign.pk, send_at__lte=now)
        if not _move(campaign, (S.SCHEDULED,), S.SENDING, now=now, rows=due):
            return None
        ready = examine(campaign, now=now, ask_for_people=False)
        found: Sequence[Missing] = ready.problems
        if not found:
            try:
                with transaction.atomic():
                    return _open_run(campaign, ready.audience, by=SYSTEM, now=now)
            except CampaignNotReady as error:
                found = error.problems
        _move(campaign, (S.SENDING,), S.SCHEDULED, now=now)
        unschedule(campaign=campaign, by=SYSTEM, now=now, because=found)
        return None


def _make_ready(campaign: Campaign, *, by: Actor, now: dt.datetime) -> Audience:
    """Publish the campaign's own words, unless something is missing; returns its audience.

    Raises CampaignNotReady, which rolls all back.
    """
    ready = examine(campaign, now=now)
    if ready.problems:
        raise CampaignNotReady(ready.problems)
    if campaign.template.versions.filter(state=VersionState.DRAFT).exists():
        try:
            drafts.publish(template=campaign.template, by=by, now=now)
        except NotPublishable as error:
            found = [Missing("content", str(problem)) for problem in error.problems]
            raise CampaignNotReady(found) from error
    return ready.audience


def _open_run(campaign: Campaign, audience: Audience, *, by: Actor, now: dt.datetime) -> Run:
    version = drafts.published_version(campaign.template)
    assert version is not None  # noqa: S101  (_make_ready published it)
    intent = Intent(
        notification_type=campaign.notification_type,
        version=version,
        channels=campaign.channels,
        data=campaign.data,
        expires_at=campaign.expires_at,
        tracking=campaign.tracking,
        rate=campaign.rate,
        spread=campaign.spread,
        source=Source.CAMPAIGN,
    )
    try:
        notification = open_notification(intent=intent, lane=Lane.BULK, by=by, now=now)
    except NotNotifiable as error:
        raise CampaignNotReady([Missing("content", str(error))]) from error
    run = Run.objects.create(
        campaign=campaign,
        notification=notification,
        audience=audience.frozen(),
        started_at=now,
    )
    announce(LAUNCH_TASK, lane=Lane.BULK, run_id=run.pk)
    tell(Kind.CAMPAIGN_STARTED, by=by, now=now, about=campaign, data={"run": run.number})
    return run


# ------------------------------------------------------------------ while it is under way
def pause(*, campaign: Campaign, by: Actor, now: dt.datetime) -> dict[str, int]:
    """Hand over nothing more until `resume`. Returns `counts`.

    A second time changes nothing. Raises WrongState.
    """
    with transaction.atomic():
        notification = _locked(campaign)
        if notification is None or not _move(campaign, (S.SENDING,), S.PAUSED, now=now):
            if notification and campaign.state == S.PAUSED:
                return counts(notification)
            problem = gettext("This campaign is {state}; only one that is sending can be paused.")
            raise WrongState(problem.format(state=_state_now(campaign)))
        # the notification has buttons of its own
        if notification.state != NotificationState.PAUSED:
            control.pause(notification=notification, by=by, now=now)
        said = counts(notification)
        tell(Kind.CAMPAIGN_PAUSED, by=by, now=now, about=campaign, data=said)
    control.wait_until_still(notification)
    return counts(notification)


def resume(*, campaign: Campaign, by: Actor, now: dt.datetime) -> dict[str, int]:
    """Go on where `pause` stopped; nobody gets it twice. Returns `counts`.

    One that goes on already stays as it is. Raises WrongState.
    """
    with transaction.atomic():
        notification = _locked(campaign)
        if notification is None or not _move(campaign, (S.PAUSED,), S.SENDING, now=now):
            if notification and campaign.state == S.SENDING:
                return counts(notification)
            problem = gettext("This campaign is {state}; only a paused one can be resumed.")
            raise WrongState(problem.format(state=_state_now(campaign)))
        if notification.state == NotificationState.PAUSED:
            control.resume(notification=notification, by=by, now=now)
        # it may have been paused while planning
        announce(LAUNCH_TASK, lane=Lane.BULK, run_id=notification.run.pk)
        said = counts(notification)
        tell(Kind.CAMPAIGN_RESUMED, by=by, now=now, about=campaign, data=said)
    return said


def cancel(*, campaign: Campaign, by: Actor, now: dt.datetime) -> dict[str, int]:
    """Cancel. Returns `counts`, all 0 if it had not started.

    A second time changes nothing. Raises WrongState.
    """
    with transaction.atomic():
        notification = _locked(campaign)
        moved = notification is None and _move(campaign, (S.SCHEDULED,), S.CANCELLED, now=now)
        if not moved:
            # A campaign that was started just now: its notification must not go out behind it.
            notification = notification or _locked(campaign)
            moved = notification is not None and _move(
                campaign, _stoppable(notification), S.CANCELLED, now=now
            )
        if not moved and campaign.state == S.CANCELLED:
            return counts(notification)
        if not moved:
            problem = gettext("This campaign is {state}; there is nothing to cancel.")
            raise WrongState(problem.format(state=_state_now(campaign)))
        if notification is not None:
            control.cancel(notification=notification, by=by, now=now)
        said = counts(notification)
        tell(Kind.CAMPAIGN_CANCELLED, by=by, now=now, about=campaign, data=said)
    if notification is not None:
        control.wait_until_still(notification)
    return counts(notification)


def recall(*, campaign: Campaign, by: Actor, now: dt.datetime) -> dict[str, int]:
    """Cancel what has not left, and take back what can be: in-app messages, the web copies of its
    mails, its page in the public archive. Whatever its state, once it has started, and again.

    What has left on other channels can't be called back. Returns `counts`. Raises WrongState.
    """
    run = Run.objects.filter(campaign=campaign).select_related("notification").first()
    if run is None:
        problem = gettext("This campaign is {state}; nothing of it has left. Cancel it instead.")
        raise WrongState(problem.format(state=_state_now(campaign)))
    again = run.notification.retracted_at is not None
    # outside of a transaction, for it waits for the senders; `follow` moves the campaign
    said = control.retract(notification=run.notification, by=by, now=now)
    if not again:
        with transaction.atomic():
            tell(Kind.CAMPAIGN_RECALLED, by=by, now=now, about=campaign, data=said)
    campaign.refresh_from_db()
    return said


def _stoppable(notification: Notification) -> tuple[CampaignState, ...]:
    """The states in which something of the campaign is still to come."""
    if notification.state in control.LIVE:
        return (S.SENDING, S.PAUSED, S.SENT)
    return (S.SENDING, S.PAUSED)


def retry_failed(*, campaign: Campaign, by: Actor, now: dt.datetime) -> int:
    """Put what failed back into the queue; returns how many. Raises WrongState."""
    with transaction.atomic():
        notification = _locked(campaign)
        campaign.refresh_from_db()
        if notification is None or campaign.state not in (S.SENT, S.SENDING):
            problem = gettext(
                "This campaign is {state}; failed messages are retried once it was sent."
            )
            raise WrongState(problem.format(state=_state_now(campaign)))
        number = replay.retry_failed(notification=notification, by=by, now=now)
        if number:  # where digests waited, the notification had not ended and nobody told
            _move(campaign, (S.SENT,), S.SENDING, now=now)
        campaign.refresh_from_db()  # `follow` has set it going again
    return number


def archive(*, campaign: Campaign, by: Actor, now: dt.datetime) -> Campaign:
    """Put a campaign out of sight; nothing is lost.

    A second time changes nothing. Raises WrongState.
    """
    with transaction.atomic():
        if not _move(campaign, (S.DRAFT, S.SENT, S.CANCELLED), S.ARCHIVED, now=now):
            if campaign.state == S.ARCHIVED:
                return campaign
            problem = gettext("This campaign is {state}. Cancel it first, then archive it.")
            raise WrongState(problem.format(state=_state_now(campaign)))
        tell(Kind.CAMPAIGN_ARCHIVED, by=by, now=now, about=campaign)
    return campaign


def sending(now: dt.datetime) -> QuerySet[Campaign]:
    """Find the campaigns that are under way."""
    return Campaign.objects.filter(state=S.SENDING)


@only_with(sending)
def call_sent(*, now: dt.datetime) -> None:
    """Schedule: call campaigns sent of which only digests are still to come.

    "Did it go out?" is answered then, and not in six days.
    """
    through = Run.objects.filter(notification__in=only_held(), campaign__state=S.SENDING)
    for run in through.select_related("campaign"):
        with transaction.atomic():
            if _move(run.campaign, (S.SENDING,), S.SENT, now=now):
                waiting = for_digests(run.notification).messages
                data = {"run": run.number, "waiting_for_digests": waiting}
                tell(Kind.CAMPAIGN_FINISHED, by=SYSTEM, now=now, about=run.campaign, data=data)


def follow(facts: Sequence[Fact]) -> None:
    """Subscriber: have campaigns keep up with what happened to their notifications.

    Some of one may be sent again from another page; then the campaign is sending again and can be
    stopped.
    """
    by_campaigns = {
        fact.about.id: fact
        for fact in facts
        if fact.data.get("source", Source.CAMPAIGN) == Source.CAMPAIGN
    }
    if not by_campaigns:  # a program's messages end by the hundred
        return
    runs = Run.objects.filter(notification__uid__in=by_campaigns).select_related(
        "campaign", "notification"
    )
    for run in runs.order_by("pk"):
        fact = by_campaigns[str(run.notification.uid)]
        wanted, to, told = _FOLLOWS[fact.kind]
        if _move(run.campaign, wanted, to, now=fact.at) and told:
            data = {"run": run.number}
            if why := fact.data.get("why"):
                data["why"] = why
            tell(told, by=fact.by, now=fact.at, about=run.campaign, data=data)


_FOLLOWS: dict[Kind, tuple[tuple[CampaignState, ...], CampaignState, Kind | None]] = {
    Kind.NOTIFICATION_FINISHED: ((S.SENDING,), S.SENT, Kind.CAMPAIGN_FINISHED),
    Kind.NOTIFICATION_CANCELLED: ((S.SENDING, S.PAUSED), S.CANCELLED, Kind.CAMPAIGN_CANCELLED),
    Kind.NOTIFICATION_REOPENED: ((S.SENT, S.ARCHIVED), S.SENDING, None),
    Kind.NOTIFICATION_PAUSED: ((S.SENDING,), S.PAUSED, Kind.CAMPAIGN_PAUSED),
    Kind.NOTIFICATION_RESUMED: ((S.PAUSED,), S.SENDING, Kind.CAMPAIGN_RESUMED),
}


# ------------------------------------------------------------------ plumbing
def _move(
    campaign: Campaign,
    wanted: tuple[CampaignState, ...],
    to: CampaignState,
    *,
    now: dt.datetime,
    rows: QuerySet[Campaign] | None = None,
    **columns: Any,
) -> bool:
    """Change the state if it is (still) one of `wanted`.

    The object is fresh afterwards either way.
    """
    if rows is None:
        rows = Campaign.objects.filter(pk=campaign.pk)
    moved = rows.filter(state__in=wanted).update(state=to, updated_at=now, **columns)
    campaign.refresh_from_db()
    return bool(moved)


def _locked(campaign: Campaign) -> Notification | None:
    """Lock the notification of the campaign's latest run, which comes first (see the top)."""
    runs = Run.objects.filter(campaign=campaign).order_by("-number")
    return (
        Notification.objects.select_for_update(no_key=True)
        .filter(pk__in=runs.values("notification")[:1])
        .first()
    )


def _state_now(campaign: Campaign) -> str:
    campaign.refresh_from_db(fields=["state"])
    return campaign.state_word
