"""Rules of events: "when this happens, tell them that", with a box to try them in."""

import json
from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.forms import formset_factory
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.actors import staff_actor
from apps.accounts.permissions import Capability, may, requires
from apps.campaigns.events import conditions, run_rules
from apps.campaigns.events import rules as events_rules
from apps.campaigns.events.rules import RuleValues
from apps.campaigns.models import Event, EventRule, RuleTarget, Segment
from apps.dashboard.shell.edit_page import kept
from apps.dashboard.shell.forms import (
    JsonField,
    WhatIsSentForm,
    also_offer,
    channel_choices,
    offer,
)
from apps.dashboard.shell.rows import ALL_OR_ANY, LineForm, Lines, lines_of, with_one_more
from apps.followers.models import Channel, Follower
from apps.followers.people.find_follower import find_one
from apps.notifications.models import DeliveryStatus
from apps.notifications.reports.balance import explain

UNITS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}
UNIT_CHOICES = [
    ("seconds", _("Seconds")),
    ("minutes", _("Minutes")),
    ("hours", _("Hours")),
    ("days", _("Days")),
]
RULES = EventRule.objects.select_related("notification_type", "template", "segment")


class ConditionForm(LineForm):
    """One condition."""

    field = forms.CharField(required=False, max_length=conditions.MAX_TEXT)
    op = forms.ChoiceField(required=False, choices=list(conditions.OPS.items()))
    value = forms.CharField(required=False, max_length=conditions.MAX_TEXT)

    def question(self, field: str, op: str, text: str) -> dict[str, Any]:
        if "exists" in op:
            return {"field": field, "op": op}
        return {"field": field, "op": op, "value": text}


ConditionRows = formset_factory(ConditionForm, formset=Lines, extra=1, max_num=conditions.MOST)


class EventRuleForm(WhatIsSentForm):
    name = forms.CharField(max_length=120, label=_("Name"), help_text=_("Only your team sees it."))
    event = forms.CharField(
        max_length=102,
        label=_("When this happens"),
        help_text=_("Such as order.created, or order.* for all that begin so."),
    )
    match = forms.ChoiceField(
        choices=ALL_OR_ANY,
        initial="all",
        required=False,
        label=_("Match"),
        widget=forms.RadioSelect,
    )
    to = forms.ChoiceField(
        choices=RuleTarget.choices,
        initial=RuleTarget.FOLLOWER,
        widget=forms.RadioSelect,
        label=_("Who is told"),
    )
    segment = forms.ModelChoiceField(
        Segment.objects.all(),
        to_field_name="uid",
        required=False,
        label=_("Segment"),
        empty_label=_("No segment"),
        help_text=_("Up to 1,000."),
    )
    mapping = forms.CharField(
        required=False,
        label=_("Variables"),
        widget=forms.Textarea({"rows": 4, "class": "font-monospace", "spellcheck": "false"}),
        help_text=_(
            "One per line: order_number = data.number. Left empty, the template gets all data of "
            "the event, and the event itself as event."
        ),
    )
    delay = forms.IntegerField(
        min_value=0,
        initial=0,
        required=False,
        label=_("Wait"),
        help_text=_("After it happened."),
    )
    unit = forms.ChoiceField(choices=UNIT_CHOICES, initial="minutes", label=_("Unit"))
    throttle_key = forms.CharField(
        max_length=conditions.MAX_TEXT,
        required=False,
        label=_("Throttle by"),
        help_text=_("Such as data.number: what the type's throttle counts apart."),
    )
    active = forms.BooleanField(
        required=False, initial=True, label=_("Active"), help_text=_("Off: it is not asked.")
    )

    def __init__(self, rule: EventRule | None, data: Any = None) -> None:
        initial = None
        channels: list[str] = []
        saved: list[dict[str, Any]] = []
        if rule:
            initial = _initial(rule)
            channels = rule.channels
            _, saved = lines_of(rule.conditions)
        super().__init__(data, initial=initial)
        offer(self, "channels", channel_choices(channels))
        if rule:
            also_offer(self, rule.template)
        posted = with_one_more(data, "rows")
        rows = ConditionRows(posted, prefix="rows", initial=saved)
        self.rows = cast(Lines, rows)

    def clean_mapping(self) -> dict[str, str]:
        found = {}
        text = self.cleaned_data["mapping"]
        for line in map(str.strip, text.splitlines()):
            if not line:
                continue
            variable, equals, where = line.partition("=")
            if not equals:
                said = gettext("{line} has no =. Write order_number = data.number.")
                raise ValidationError(said.format(line=repr(line)))
            name = variable.strip()
            found[name] = where.strip()
        return found

    def values(self) -> RuleValues:
        """Whether they go together is the domain's own business."""
        typed = dict(self.cleaned_data)
        match = typed.pop("match") or "all"
        asked = self.rows.filled()
        typed["conditions"] = {}
        if asked:
            typed["conditions"] = {match: asked}
        unit = typed.pop("unit")
        delay = typed["delay"] or 0
        typed["delay"] = delay * UNITS[unit]
        return RuleValues(**typed)


def _initial(rule: EventRule) -> dict[str, Any]:
    initial = {name: getattr(rule, name) for name in RuleValues.__dataclass_fields__}
    initial["notification_type"] = rule.notification_type.key
    if rule.template:
        initial["template"] = rule.template.uid
    if rule.segment:
        initial["segment"] = rule.segment.uid
    initial["match"] = "all"
    if "any" in rule.conditions:
        initial["match"] = "any"
    mapping = [f"{variable} = {where}" for variable, where in rule.mapping.items()]
    initial["mapping"] = "\n".join(mapping)
    unit = _largest_unit(rule.delay)
    initial["delay"] = rule.delay // UNITS[unit]
    initial["unit"] = unit
    return initial


def _largest_unit(seconds: int) -> str:
    """Largest unit in which a delay is a whole number; minutes for none."""
    if not seconds:
        return "minutes"
    whole = [unit for unit in UNITS if seconds % UNITS[unit] == 0]
    return max(whole, key=lambda unit: UNITS[unit])


class SampleForm(forms.Form):
    """An event that never happened."""

    happened = forms.CharField(max_length=100, required=False, label=_("Event"))
    follower = forms.CharField(
        max_length=320,
        required=False,
        label=_("Follower"),
        help_text=_("Email, phone, external id or id."),
    )
    data = JsonField(  # type: ignore[assignment]  # a field; Django keeps it in base_fields
        required=False, label=_("Data"), rows=5, example='{"number": "A-17"}'
    )

    def clean_follower(self) -> Follower | None:
        text = self.cleaned_data["follower"].strip()
        found = None
        if text:
            found = find_one(text)
        if text and found is None:
            raise ValidationError(gettext("Nobody is known as {name}.").format(name=text))
        return found


@requires(Capability.VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    rules = EventRule.objects.select_related("notification_type", "segment")
    rows = [(rule, in_words(rule)) for rule in rules]
    return render(request, "dashboard/send/event_rules/list.html", {"rows": rows})


def in_words(rule: EventRule) -> str:
    asked = conditions.parse(rule.conditions)
    if asked.parts:
        return gettext("if {conditions}").format(conditions=asked)
    return gettext("always")


@requires(Capability.SEND)
def add(request: HttpRequest) -> HttpResponse:
    return _edit(request, None)


@requires(Capability.VIEW)
def page(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Whoever may not let messages leave sees the same page, without a button to save."""
    return _edit(request, _rule(uid))


def _rule(uid: UUID) -> EventRule:
    return get_object_or_404(RULES, uid=uid)


def _edit(request: HttpRequest, rule: EventRule | None) -> HttpResponse:
    posted = request.method == "POST"
    may_save = may(request.user, Capability.SEND)
    if posted and not may_save:
        raise PermissionDenied(gettext("Your role can look at rules and try them."))
    form = EventRuleForm(rule, request.POST or None)
    if posted and "add" in request.POST:
        form.errors.clear()
    elif posted and form.is_valid():
        saved = kept(form, lambda: _save(request, form, rule))
        if saved:
            messages.success(request, gettext("{name} was saved.").format(name=saved.name))
            return redirect("dashboard:event-rule", saved.uid)
    sample = None
    if rule:
        sample = SampleForm(initial=_sample(rule))
    return _show(request, rule, form, sample, None)


def _show(
    request: HttpRequest, rule: Any, form: EventRuleForm, sample: SampleForm | None, found: Any
) -> HttpResponse:
    sent = ""
    told: list[tuple[str, ...]] = []
    if found and found.data:
        sent = json.dumps(found.data, ensure_ascii=False, indent=2)
    if found:
        told = [_told(message) for message in found.messages]
    values = {"rule": rule, "form": form, "sample": sample, "found": found, "sent": sent}
    values["told"] = told
    values["may_save"] = may(request.user, Capability.SEND)
    return render(request, "dashboard/send/event_rules/edit.html", values)


def _told(message: run_rules.SampleMessage) -> tuple[str, ...]:
    """Whom the message is for, its channel, how it stands and why it is skipped, in words."""
    channel = str(Channel(message.channel).label)
    status = str(DeliveryStatus(message.status).label)
    reason = ""
    if message.status == DeliveryStatus.SKIPPED:
        reason = explain(message.reason)
    return message.who, channel, status.lower(), reason


def _sample(rule: EventRule) -> dict[str, Any]:
    """The last event that the rule was asked about, or an empty one."""
    last = Event.objects.filter(outcomes__rule=rule).order_by("-pk").first()
    if last:
        return {"happened": last.name, "data": last.data}
    happened = rule.event.removesuffix(".*")
    return {"happened": happened, "data": "{}"}


def _save(request: HttpRequest, form: EventRuleForm, rule: EventRule | None) -> EventRule:
    by = staff_actor(request)
    now = timezone.now()
    if rule:
        return events_rules.change_rule(rule=rule, values=form.values(), by=by, now=now)
    return events_rules.create_rule(values=form.values(), by=by, now=now)


@requires(Capability.VIEW)
@require_POST
def try_out(request: HttpRequest, uid: UUID) -> HttpResponse:
    """The saved rule and a sample; nothing is stored or sent."""
    rule = _rule(uid)
    sample = SampleForm(request.POST)
    found = None
    if sample.is_valid():
        typed = sample.cleaned_data
        now = timezone.now()
        name = typed["happened"] or rule.event.removesuffix(".*")
        event = Event(
            name=name,
            follower=typed["follower"],
            data=typed["data"],
            occurred_at=now,
            received_at=now,
        )
        found = run_rules.rehearse(rule=rule, event=event, now=now)
    return _show(request, rule, EventRuleForm(rule), sample, found)


@requires(Capability.SEND)
@require_POST
def delete(request: HttpRequest, uid: UUID) -> HttpResponse:
    rule = _rule(uid)
    by = staff_actor(request)
    events_rules.delete_rule(rule=rule, by=by, now=timezone.now())
    said = gettext("{name} was deleted. What it made of events stays.")
    messages.success(request, said.format(name=rule.name))
    return redirect("dashboard:event-rules")


urlpatterns = [
    path("event-rules/", index, name="event-rules"),
    path("event-rules/add/", add, name="event-rule-add"),
    path("event-rules/<uuid:uid>/", page, name="event-rule"),
    path("event-rules/<uuid:uid>/test/", try_out, name="event-rule-test"),
    path("event-rules/<uuid:uid>/delete/", delete, name="event-rule-delete"),
]
