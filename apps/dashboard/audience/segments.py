"""Segments: saved questions about followers, built row by row, with the answer beside them."""

from collections.abc import Collection, Mapping
from typing import Any, cast
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.forms import formset_factory
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import get_language, gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.actors import staff_actor
from apps.accounts.permissions import Capability, may, requires
from apps.campaigns.audience import behaviour, language
from apps.campaigns.audience.field_rules import OPERATORS_OF
from apps.campaigns.audience.language import BadRules
from apps.campaigns.audience.matches import matches_of
from apps.campaigns.audience.segments import (
    SegmentInUse,
    SegmentValues,
    campaigns_using,
    change_segment,
    create_segment,
    delete_segment,
)
from apps.campaigns.audience.words import sentence
from apps.campaigns.models import Segment
from apps.dashboard.shell.edit_page import kept
from apps.dashboard.shell.forms import JsonField, offer
from apps.dashboard.shell.rows import (
    ALL_OR_ANY,
    LineForm,
    Lines,
    is_flat,
    lines_of,
    with_one_more,
)
from apps.followers.fields.fitting import KnownFields
from apps.followers.models import Channel, CustomField, FieldKind, NotificationType, Tag

EXAMPLES = [
    (_("Tag"), "vip"),
    (_("Language"), "en, pt-BR"),
    (_("Time zone"), "Europe/Berlin"),
    (pgettext_lazy("person", "Name"), "Anna"),
    (_("Email domain"), "example.com"),
    (_("Sign-up date"), _("2026-05-31, or a number of days")),
    (pgettext_lazy("staff", "Subscribed"), _("true or false")),
    (_("Active address for"), "email, sms, in_app"),
    (_("What they did"), _("with a campaign, a message type, the last campaigns, in some days")),
    (_("Preference"), _("on, off or none")),
    (_("Metadata"), _("pro, with the key beside it; a date as 2026-05-31")),
]


class SegmentRuleForm(LineForm):
    """One line of the builder.

    `field` of a preference carries its cell: preference/<type key>/<channel>.
    """

    field = forms.ChoiceField(
        required=False,
        label=_("Attribute"),
        widget=forms.Select({"class": "form-select", "aria-label": _("Attribute")}),
    )
    key = forms.CharField(required=False, max_length=64, label=_("Metadata key"))
    op = forms.ChoiceField(
        required=False, choices=list(language.OPERATORS.items()), label=_("Comparison")
    )
    value = forms.CharField(required=False, max_length=2000, label=_("Value"))

    def __init__(self, *args: Any, known: KnownFields, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._known = known.by_key
        plain = []
        for name, field in language.FIELDS.items():
            if name not in ("preference", "behaviour"):
                plain.append((name, str(field.label).capitalize()))
        own = (gettext("Preference (on, off, none)"), _cells())
        did = [(f"behaviour/{name}", label) for name, label in behaviour.LABELS.items()]
        choices = [("", gettext("Choose…")), *plain, (gettext("What they did"), did), own]
        if self._known:
            tag = get_language() or settings.LANGUAGE_CODE
            named = [(f"metadata.{key}", row.label(tag)) for key, row in self._known.items()]
            choices.insert(1, (gettext("Custom fields"), named))
        offer(self, "field", choices)

    @property
    def custom(self) -> CustomField | None:
        """The custom field that the line asks about."""
        _metadata, dot, key = str(self["field"].value() or "").partition(".")
        if dot:
            return self._known.get(key)
        return None

    def operators(self) -> list[tuple[str, Any]]:
        """The comparisons that fit what is asked about; all of them while nothing is."""
        name = str(self["field"].value() or "").partition(".")[0].partition("/")[0]
        fit: Collection[str] = language.OPERATORS
        if self.custom:
            fit = OPERATORS_OF[self.custom.kind]
        elif name in language.FIELDS:
            fit = language.FIELDS[name].ops
        labels: Mapping[str, Any] = language.OPERATORS
        if name == "behaviour":
            labels = {"is": gettext("they did"), "is_not": gettext("they did not")}
        return [(op, label) for op, label in labels.items() if op in fit]

    def offered(self) -> list[tuple[str, str]]:
        """The values to pick from, where they are known."""
        if self._behaviour:
            return self._messages()
        if self.custom is None or str(self["op"].value()).endswith("exists"):
            return []
        if self.custom.kind == FieldKind.BOOLEAN:
            return [("true", gettext("Yes")), ("false", gettext("No"))]
        return self.custom.choices(get_language() or settings.LANGUAGE_CODE)

    @property
    def _behaviour(self) -> str:
        """What somebody did, where the line asks about that."""
        name, _slash, did = str(self["field"].value() or "").partition("/")
        if name == "behaviour":
            return did
        return ""

    def _messages(self) -> list[tuple[str, str]]:
        """The messages that the line may ask about, with the one it does."""
        offered = behaviour.offers()
        now = str(self["value"].value() or "")
        if now not in dict(offered):
            value = behaviour.read(behaviour.from_text(self._behaviour, now))
            if value:
                offered.insert(0, (now, behaviour.sentence(value, denied=False)))
        return offered

    def picks_several(self) -> bool:
        return self["op"].value() in ("in", "not_in")

    def picked(self) -> list[str]:
        """The values that are picked, of those that are offered."""
        name = self.add_prefix("value")
        if self.is_bound and hasattr(self.data, "getlist"):
            found: list[str] = self.data.getlist(name)
        else:
            found = [str(self["value"].value() or "")]
        if len(found) == 1 and self.picks_several() and found[0] not in dict(self.offered()):
            return [part.strip() for part in found[0].split(",")]
        return found

    def question(self, field: str, op: str, text: str) -> dict[str, Any]:
        value: Any = text
        if op in ("in", "not_in") and self.offered():
            value = [each for each in self.picked() if each]
        elif op in ("in", "not_in"):
            parts = [part.strip() for part in text.split(",")]
            value = [part for part in parts if part]
        if field == "tag":
            if isinstance(value, list):
                value = [_slug(one) for one in value]
            else:
                value = _slug(value)
        if field.startswith("behaviour/"):
            field, did = field.split("/")
            value = behaviour.from_text(did, text)
        if field.startswith("preference/"):
            field, kind, channel = field.split("/")
            value = {"type": kind, "channel": channel, "choice": text.lower()}
        if field == "metadata":
            key = self.cleaned_data.get("key", "").strip()
            field = f"metadata.{key}"
        if op.endswith("exists") and not text:
            return {"field": field, "op": op}
        return {"field": field, "op": op, "value": value}


def _cells() -> list[tuple[str, str]]:
    """Name each preference a follower may have: a type by a channel."""
    cells = []
    for kind in NotificationType.objects.all():
        for channel in kind.channels:
            said = gettext("{type} by {channel}")
            label = said.format(type=kind.name, channel=Channel(channel).label)
            cells.append((f"preference/{kind.key}/{channel}", label))
    return cells


def _slug(text: str) -> str:
    """People type a tag's name; rules carry its slug."""
    tag = Tag.objects.filter(name__iexact=text).first()
    if tag:
        return tag.slug
    return text


def _row(rule: dict[str, Any], known: KnownFields) -> dict[str, str]:
    """The reverse of RuleForm.question."""
    name, _, key = str(rule["field"]).partition(".")
    value = rule.get("value", "")
    if key in known.by_key:
        return {"field": f"metadata.{key}", "op": rule["op"], "value": _typed(value)}
    if name == "behaviour":
        what = behaviour.as_text(value)
        return {"field": f"behaviour/{value['did']}", "op": rule["op"], "value": what}
    if name == "preference":
        cell = f"preference/{value['type']}/{value['channel']}"
        return {"field": cell, "op": rule["op"], "value": value["choice"]}
    return {"field": name, "key": key, "op": rule["op"], "value": _typed(value)}


def _typed(value: Any) -> str:
    """A rule's value as a person types it."""
    match value:
        case None:
            return ""
        case True:
            return "true"
        case False:
            return "false"
        case list():
            return ", ".join(map(str, value))
    return str(value)


RuleFormSet = formset_factory(SegmentRuleForm, formset=Lines, extra=1, max_num=language.MAX_RULES)


class SegmentForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=100)
    description = forms.CharField(label=_("Description"), max_length=300, required=False)
    match = forms.ChoiceField(
        label=_("Match"),
        choices=ALL_OR_ANY,
        widget=forms.RadioSelect,
        required=False,
    )
    source = JsonField(
        required=False,
        label=_("Rules as JSON"),
        rows=14,
        help_text=_("These rules are nested, which the builder can't show."),
    )


class Builder:
    """The form and its two lists of rows: those that must match, and those that must not."""

    def __init__(self, segment: Segment | None, data: Any = None, begin: Any = None) -> None:
        if segment:
            saved = segment.rules
        else:
            saved = {"all": begin or []}
        self.nested = not is_flat(saved)
        word, lines = lines_of(saved)
        initial: dict[str, Any] = {"match": word}
        if segment:
            initial |= {"name": segment.name, "description": segment.description}
        if self.nested:
            initial["source"] = saved
        self.form = SegmentForm(data, initial=initial)
        self.form.fields["source"].required = self.nested
        without = saved.get("not", {}).get("any", [])
        if self.nested:
            lines = []
            without = []
        known = KnownFields()
        self.rows = _rows(data, "rows", lines, known)
        self.unless = _rows(data, "unless", without, known)

    def rules(self) -> Any:
        """What was built; None for JSON that is none, and rules.parse judges the rest."""
        if self.nested:
            return self.form.cleaned_data.get("source")
        made: dict[str, Any] = {}
        if lines := self.rows.filled():
            made[self.form.cleaned_data.get("match") or "all"] = lines
        if without := self.unless.filled():
            made["not"] = {"any": without}
        return made


def _rows(data: Any, prefix: str, rules: list[dict[str, Any]], known: KnownFields) -> Lines:
    initial = [_row(rule, known) for rule in rules]
    posted = with_one_more(data, prefix)
    shared = {"known": known}
    made = RuleFormSet(posted, prefix=prefix, initial=initial, form_kwargs=shared)
    return cast(Lines, made)


@requires(Capability.VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    rows = []
    for segment in Segment.objects.all():
        try:
            words = sentence(language.parse(segment.rules))
        except BadRules as error:
            words = str(error)
        rows.append((segment, words))
    return render(request, "dashboard/audience/segments/list.html", {"rows": rows})


@requires(Capability.EDIT)
def add(request: HttpRequest) -> HttpResponse:
    return _edit(request, None)


@requires(Capability.VIEW)
def page(request: HttpRequest, uid: UUID) -> HttpResponse:
    segment = get_object_or_404(Segment, uid=uid)
    if not may(request.user, Capability.EDIT):
        exact = "exact" in request.GET
        matches = matches_of(segment.rules, now=timezone.now(), exact=exact)
        context = {"segment": segment, "matches": matches}
        return render(request, "dashboard/audience/segments/view.html", context)
    return _edit(request, segment)


def _edit(request: HttpRequest, segment: Segment | None) -> HttpResponse:
    """One address for building, looking and saving: the button says which (`add`, `show`,
    or neither); `fit` is asked by the script, for comparisons and values that fit a field.
    """
    builder = Builder(segment, request.POST or None, _suggested(request.GET))
    matches = None
    looking = not {"add", "show", "fit"}.isdisjoint(request.POST)
    exact = "exact" in request.POST or request.POST.get("show") == "exact"
    if request.method == "POST":
        valid = builder.form.is_valid()
        made = builder.rules()
        if valid and not looking and made is not None:
            saved = kept(builder.form, lambda: _save(request, builder.form, segment, made))
            if saved:
                messages.success(request, gettext("{name} was saved.").format(name=saved.name))
                return redirect("dashboard:segment", saved.uid)
        if looking:
            builder.form.errors.pop("name", None)  # it is not needed to look
        if made:
            matches = matches_of(made, now=timezone.now(), exact=exact)
    elif segment is not None:
        matches = matches_of(segment.rules, now=timezone.now())
    used_by = []
    if segment:
        used_by = campaigns_using(segment)
    tags = Tag.objects.all()[:500]
    values = {
        "segment": segment,
        "builder": builder,
        "matches": matches,
        "examples": EXAMPLES,
        "tags": tags,
        "used_by": used_by,
    }
    return render(request, "dashboard/audience/segments/edit.html", values)


def _suggested(asked: QueryDict) -> list[dict[str, Any]]:
    """Rules to begin with, as a page of results asks for them: what people did with a message, or
    did not (`no`), and in which language and at which domain they are.
    """
    rules: list[dict[str, Any]] = []
    did = asked.get("did", "")
    names = ("campaign", "notification", "recurring", "type", "link", "channel")
    given = {name: asked[name] for name in names if asked.get(name)}
    value = behaviour.read(behaviour.from_text(did, urlencode(given)))
    if value:
        rules.append({"field": "behaviour", "op": "is", "value": value})
        if "no" in asked:
            got = {name: given for name, given in value.items() if name != "link"}
            rules[0] |= {"op": "is_not"}
            rules.append({"field": "behaviour", "op": "is", "value": got | {"did": behaviour.GOT}})
    if language_tag := asked.get("language"):
        rules.append({"field": "language", "op": "is", "value": language_tag})
    if domain := asked.get("domain"):
        rules.append({"field": "email_domain", "op": "is", "value": domain})
    return rules


def _save(request: HttpRequest, form: SegmentForm, segment: Segment | None, rules: Any) -> Segment:
    typed = form.cleaned_data
    values = SegmentValues(name=typed["name"], description=typed["description"], rules=rules)
    by = staff_actor(request)
    now = timezone.now()
    if segment:
        return change_segment(segment=segment, values=values, by=by, now=now)
    return create_segment(values=values, by=by, now=now)


@requires(Capability.EDIT)
@require_POST
def delete(request: HttpRequest, uid: UUID) -> HttpResponse:
    segment = get_object_or_404(Segment, uid=uid)
    try:
        delete_segment(segment=segment, by=staff_actor(request), now=timezone.now())
    except SegmentInUse as error:
        messages.error(request, str(error))
        return redirect("dashboard:segment", uid)
    messages.success(request, gettext("{name} was deleted.").format(name=segment.name))
    return redirect("dashboard:segments")


urlpatterns = [
    path("segments/", index, name="segments"),
    path("segments/add/", add, name="segment-add"),
    path("segments/<uuid:uid>/", page, name="segment"),
    path("segments/<uuid:uid>/delete/", delete, name="segment-delete"),
]
