"""Segments: saved questions about followers, built row by row, with the answer beside them."""

from typing import Any

from django import forms
from django.contrib import messages
from django.forms import BaseFormSet, formset_factory
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.actors import staff_actor
from apps.accounts.permissions import Capability, may, requires
from apps.campaigns.audience import language
from apps.campaigns.audience.language import BadRules
from apps.campaigns.audience.matches import matches_of
from apps.campaigns.audience.segments import (
    SegmentInUse,
    SegmentNameTaken,
    SegmentValues,
    campaigns_using,
    change_segment,
    create_segment,
    delete_segment,
)
from apps.campaigns.audience.words import sentence
from apps.campaigns.models import Segment
from apps.dashboard.shell.forms import JsonField, whole_number
from apps.followers.models import Channel, NotificationType, Tag

EXAMPLES = {
    "Tag": "vip",
    "Language": "en, pt-BR",
    "Time zone": "Europe/Berlin",
    "Name": "Anna",
    "E-mail domain": "example.com",
    "Sign-up date": "2026-05-31, or a number of days",
    "Subscribed": "true or false",
    "Active address for": "email, sms, in_app",
    "Own choice": "on, off or none",
    "Metadata": "pro, with the key beside it",
}


class RuleForm(forms.Form):
    """One line of the builder.

    `field` of a preference carries its cell: preference/<type key>/<channel>.
    """

    field = forms.ChoiceField(required=False, label="Attribute")
    key = forms.CharField(required=False, max_length=64, label="Metadata key")
    op = forms.ChoiceField(
        required=False, choices=list(language.OPERATORS.items()), label="Comparison"
    )
    value = forms.CharField(required=False, max_length=2000, label="Value")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        plain = [
            (name, field.label.capitalize())
            for name, field in language.FIELDS.items()
            if name != "preference"
        ]
        cells = [
            (f"preference/{kind.key}/{channel}", f"{kind.name} by {Channel(channel).label}")
            for kind in NotificationType.objects.all()
            for channel in kind.channels
        ]
        self.fields["field"].choices = [
            ("", "Choose…"),
            *plain,
            ("Own choice (on, off, none)", cells),
        ]

    def rule(self) -> dict[str, Any] | None:
        """The line as a rule; None when it was left empty.

        Whether it makes sense is the rules' own business.
        """
        typed = self.cleaned_data
        name = typed.get("field", "")
        op = typed.get("op") or "is"
        text = typed.get("value", "").strip()
        if not name:
            return None
        value: Any = text
        if op in ("in", "not_in"):
            value = [part.strip() for part in text.split(",") if part.strip()]
        if name == "tag":
            if isinstance(value, list):
                value = [_slug(one) for one in value]
            else:
                value = _slug(value)
        if name.startswith("preference/"):
            name, kind, channel = name.split("/")
            value = {"type": kind, "channel": channel, "choice": text.lower()}
        if name == "metadata":
            name = f"metadata.{typed.get('key', '').strip()}"
        rule = {"field": name, "op": op, "value": value}
        if op.endswith("exists") and not text:
            return {"field": name, "op": op}
        return rule


def _slug(text: str) -> str:
    """People type a tag's name; rules carry its slug."""
    tag = Tag.objects.filter(name__iexact=text).first()
    if tag:
        return tag.slug
    return text


def _row(rule: dict[str, Any]) -> dict[str, str]:
    """The reverse of RuleForm.rule."""
    name, _, key = str(rule["field"]).partition(".")
    value = rule.get("value", "")
    if name == "preference":
        return {
            "field": f"preference/{value['type']}/{value['channel']}",
            "op": rule["op"],
            "value": value["choice"],
        }
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    elif isinstance(value, bool):
        if value:
            value = "true"
        else:
            value = "false"
    return {
        "field": name,
        "key": key,
        "op": rule["op"],
        "value": "" if value is None else str(value),
    }


class RuleRows(BaseFormSet):
    def rules(self) -> list[dict[str, Any]]:
        return [rule for form in self.forms if (rule := form.rule()) is not None]


RuleFormSet = formset_factory(RuleForm, formset=RuleRows, extra=1, max_num=language.MAX_RULES)


class SegmentForm(forms.Form):
    name = forms.CharField(max_length=100)
    description = forms.CharField(max_length=300, required=False)
    match = forms.ChoiceField(
        choices=[("all", "All of these are true"), ("any", "At least one of these is true")],
        widget=forms.RadioSelect,
        required=False,
    )
    source = JsonField(
        required=False,
        label="Rules as JSON",
        rows=14,
        help_text="These rules are nested, which the builder can't show.",
    )


class Builder:
    """The form and its two lists of rows: those that must match, and those that must not."""

    def __init__(self, segment: Segment | None, data: Any = None) -> None:
        if segment:
            saved = segment.rules
        else:
            saved = {"all": []}
        self.nested = not is_flat(saved)
        word = "all"
        if "any" in saved:
            word = "any"
        initial: dict[str, Any] = {"match": word}
        if segment:
            initial |= {"name": segment.name, "description": segment.description}
        if self.nested:
            initial["source"] = saved
        self.form = SegmentForm(data, initial=initial)
        self.form.fields["source"].required = self.nested
        if self.nested:
            lines = []
            without = []
        else:
            lines = saved.get(word, [])
            without = saved.get("not", {}).get("any", [])
        self.rows = RuleFormSet(
            _one_more(data, "rows"), prefix="rows", initial=[_row(rule) for rule in lines]
        )
        self.unless = RuleFormSet(
            _one_more(data, "unless"), prefix="unless", initial=[_row(rule) for rule in without]
        )

    def rules(self) -> Any:
        """What was built; None for JSON that is none, and rules.parse judges the rest."""
        if self.nested:
            return self.form.cleaned_data.get("source")
        for rows in (self.rows, self.unless):
            rows.is_valid()
        made: dict[str, Any] = {}
        if lines := self.rows.rules():
            made[self.form.cleaned_data.get("match") or "all"] = lines
        if without := self.unless.rules():
            made["not"] = {"any": without}
        return made


def is_flat(data: dict[str, Any]) -> bool:
    """Whether the builder can show these rules: one list, and one list of exceptions."""
    lists = [data.get("all", data.get("any", []))]
    if "not" in data:
        if set(data["not"]) != {"any"}:
            return False
        lists.append(data["not"]["any"])
    return all("field" in rule for rows in lists for rule in rows)


def _one_more(data: Any, prefix: str) -> Any:
    """The posted rows, with an empty one at the end if its "Add a row" button was pressed."""
    if data is None or data.get("add") != prefix:
        return data
    data = data.copy()
    data[f"{prefix}-TOTAL_FORMS"] = str(
        (whole_number(data.get(f"{prefix}-TOTAL_FORMS", "")) or 0) + 1
    )
    return data


@requires(Capability.VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    rows = []
    for segment in Segment.objects.all():
        try:
            rows.append((segment, sentence(language.parse(segment.rules))))
        except BadRules as error:
            rows.append((segment, str(error)))
    return render(request, "dashboard/audience/segments/list.html", {"segments": rows})


@requires(Capability.EDIT)
def add(request: HttpRequest) -> HttpResponse:
    return _edit(request, None)


@requires(Capability.VIEW)
def page(request: HttpRequest, uid: str) -> HttpResponse:
    segment = get_object_or_404(Segment, uid=uid)
    if not may(request.user, Capability.EDIT):
        return render(
            request,
            "dashboard/audience/segments/view.html",
            {"segment": segment, "matches": matches_of(segment.rules, now=timezone.now())},
        )
    return _edit(request, segment)


def _edit(request: HttpRequest, segment: Segment | None) -> HttpResponse:
    """One address for building, looking and saving: the button says which (`add`, `show`,
    or neither).
    """
    builder = Builder(segment, request.POST or None)
    matches = None
    looking = "add" in request.POST or "show" in request.POST
    if request.method == "POST":
        valid = builder.form.is_valid()
        made = builder.rules()
        if (
            valid
            and not looking
            and made is not None
            and (saved := _save(request, builder, segment, made))
        ):
            return redirect("dashboard:segment", saved.uid)
        if looking:
            builder.form.errors.pop("name", None)  # it is not needed to look
        if made:
            matches = matches_of(made, now=timezone.now())
    elif segment is not None:
        matches = matches_of(segment.rules, now=timezone.now())
    values = {
        "segment": segment,
        "builder": builder,
        "matches": matches,
        "examples": EXAMPLES,
        "tags": Tag.objects.all()[:500],
        "used_by": campaigns_using(segment) if segment else [],
    }
    return render(request, "dashboard/audience/segments/edit.html", values)


def _save(
    request: HttpRequest, builder: Builder, segment: Segment | None, made: Any
) -> Segment | None:
    typed = builder.form.cleaned_data
    values = SegmentValues(name=typed["name"], description=typed["description"], rules=made)
    by = staff_actor(request)
    now = timezone.now()
    try:
        if segment:
            saved = change_segment(segment=segment, values=values, by=by, now=now)
        else:
            saved = create_segment(values=values, by=by, now=now)
    except SegmentNameTaken as error:
        builder.form.add_error("name", str(error))
    except BadRules as error:
        builder.form.add_error(None, str(error))
    else:
        messages.success(request, f"{saved.name} was saved.")
        return saved
    return None


@requires(Capability.EDIT)
@require_POST
def delete(request: HttpRequest, uid: str) -> HttpResponse:
    segment = get_object_or_404(Segment, uid=uid)
    try:
        delete_segment(segment=segment, by=staff_actor(request), now=timezone.now())
    except SegmentInUse as error:
        messages.error(request, str(error))
        return redirect("dashboard:segment", uid)
    messages.success(request, f"{segment.name} was deleted.")
    return redirect("dashboard:segments")


urlpatterns = [
    path("segments/", index, name="segments"),
    path("add-segment/", add, name="segment-add"),
    path("segments/<uuid:uid>/", page, name="segment"),
    path("segments/<uuid:uid>/delete/", delete, name="segment-delete"),
]
