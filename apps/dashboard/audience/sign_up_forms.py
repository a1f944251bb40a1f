"""Sign-up forms: made and changed, put into a page, and whoever signed up with them."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import path, reverse
from django.utils import timezone, translation
from django.utils.translation import get_language, gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.actors import staff_actor
from apps.accounts.permissions import Capability, requires
from apps.dashboard.shell.edit_page import edit_page
from apps.dashboard.shell.forms import KeyField
from apps.dashboard.shell.paging import beside, page_of
from apps.followers.fields.fitting import KnownFields
from apps.followers.models import (
    Channel,
    CustomField,
    FieldKind,
    NotificationType,
    SignUp,
    SignUpForm,
    SignUpState,
)
from apps.followers.sign_up import confirm
from apps.followers.sign_up.edit import TEXTS, FormValues, change_form, create_form
from apps.followers.sign_up.questions import FIELDS, Question, read
from apps.lib.ids import read_uid
from apps.lib.refusals import Refused

MOST = 500  # sign-ups decided at once
OWN = range(1, 5)  # questions of one's own that the page has room for
_ASK = [("", _("Not asked")), ("asked", _("Asked")), ("required", _("Required"))]
_TEXT_LABELS = {
    "title": _("Title"),
    "intro": _("Introduction"),
    "consent": _("What people agree to"),
    "button": _("Button"),
    "thanks": _("After sending"),
}
_LONG = ("intro", "consent", "thanks")


class EditForm(forms.Form):
    """A sign-up form as staff edit it."""

    name = forms.CharField(
        max_length=100, label=_("Name"), help_text=_("What you call it; people read the title.")
    )
    types = forms.ModelMultipleChoiceField(
        NotificationType.objects.none(),
        to_field_name="key",
        widget=forms.CheckboxSelectMultiple,
        label=_("People sign up for"),
        help_text=_("Of several they choose; none is ticked for them."),
    )
    tags = forms.CharField(
        required=False,
        max_length=1000,
        label=_("Tags for whoever joins"),
        help_text=_("Separate them with commas."),
    )
    welcome = forms.ModelChoiceField(
        NotificationType.objects.none(),
        to_field_name="key",
        required=False,
        label=_("Welcome message"),
        empty_label=_("None"),
        help_text=_("Sent once, when somebody has joined: with the template of this type."),
    )
    approval = forms.BooleanField(
        required=False,
        label=_("Staff approve each sign-up"),
        help_text=_("Who confirmed waits on the page of the form until somebody decides."),
    )
    thanks_url = forms.CharField(
        required=False,
        max_length=500,
        label=_("Page to go to after sending"),
        help_text=_("Empty: people read your words, or ours, on the spot."),
    )
    colour = forms.CharField(
        required=False,
        max_length=7,
        label=_("Colour of the button"),
        widget=forms.TextInput({"placeholder": "#0069d9"}),
    )
    active = forms.BooleanField(
        required=False, label=_("Takes sign-ups"), help_text=_("Off: the page says so.")
    )

    def __init__(self, data: Any = None, *, row: SignUpForm | None) -> None:
        super().__init__(data, initial=_initial(row))
        mailed = [kind for kind in NotificationType.objects.all() if Channel.EMAIL in kind.channels]
        offered = NotificationType.objects.filter(
            pk__in=[kind.pk for kind in mailed if not kind.confirms]
        )
        self._offer("types", offered.filter(commercial=True) | _chosen(row))
        self._offer("welcome", offered)
        for language, _name in settings.LANGUAGES:
            self._offer_texts(language)
        self._row = row
        self._custom = {f"ask_field-{each.pk}": each for each in CustomField.objects.all()}
        language = get_language() or settings.LANGUAGE_CODE
        asked = {f"ask_{key}": str(label) for key, label in FIELDS.items()}
        asked |= {name: each.label(language) for name, each in self._custom.items()}
        for name, label in asked.items():
            self.fields[name] = forms.ChoiceField(choices=_ASK, required=False, label=label)
        for number in OWN:
            self._offer_question(number)
        if row is None:
            self.fields["key"] = KeyField(
                max_length=60,
                label=_("Key"),
                help_text=_("Part of the page's address, for example newsletter. It stays."),
            )

    def _offer(self, name: str, kinds: Any) -> None:
        field = cast("forms.ModelChoiceField[NotificationType]", self.fields[name])
        field.queryset = kinds

    def _offer_texts(self, language: str) -> None:
        for name in TEXTS:
            widget: forms.Widget = forms.TextInput()
            if name in _LONG:
                widget = forms.Textarea({"rows": 3})
            required = language == settings.LANGUAGE_CODE and name in ("title", "consent")
            self.fields[f"{name}_{language}"] = forms.CharField(
                label=_TEXT_LABELS[name], required=required, max_length=2000, widget=widget
            )

    def _offer_question(self, number: int) -> None:
        self.fields[f"own_{number}"] = forms.CharField(
            required=False,
            max_length=40,
            label=gettext("Question {number}: key").format(number=number),
        )
        for language, name in settings.LANGUAGES:
            self.fields[f"own_{number}_{language}"] = forms.CharField(
                required=False,
                max_length=100,
                label=gettext("Words ({language})").format(language=name),
            )
        self.fields[f"own_{number}_required"] = forms.BooleanField(
            required=False, label=_("Required")
        )

    def texts(self) -> list[tuple[str, list[forms.BoundField]]]:
        """The fields of each language, for the template."""
        return [
            (name, [self[f"{text}_{language}"] for text in TEXTS])
            for language, name in settings.LANGUAGES
        ]

    def asked(self) -> list[forms.BoundField]:
        return [self[name] for name in [*(f"ask_{key}" for key in FIELDS), *self._custom]]

    def own_questions(self) -> list[list[forms.BoundField]]:
        """The fields of each question of one's own, for the template."""
        lines = []
        for number in OWN:
            names = [f"own_{number}"]
            names += [f"own_{number}_{language}" for language, _name in settings.LANGUAGES]
            names.append(f"own_{number}_required")
            lines.append([self[name] for name in names])
        return lines

    def values(self) -> FormValues:
        typed = self.cleaned_data
        texts = {}
        for language, _name in settings.LANGUAGES:
            texts[language] = {name: typed[f"{name}_{language}"] for name in TEXTS}
        return FormValues(
            name=typed["name"],
            texts=texts,
            types=list(typed["types"]),
            questions=self._questions(),
            tags=typed["tags"].split(","),
            colour=typed["colour"],
            thanks_url=typed["thanks_url"],
            approval=typed["approval"],
            welcome=typed["welcome"],
            active=typed["active"],
        )

    def _questions(self) -> list[Question]:
        typed = self.cleaned_data
        asked = []
        for key in FIELDS:
            if wanted := typed[f"ask_{key}"]:
                asked.append(Question(key, wanted == "required"))
        own_words: dict[str, Mapping[str, str]] = {}
        if self._row:  # words of before the field was defined stay
            own_words = {each.key: each.labels for each in read(self._row.questions)}
        for name, custom in self._custom.items():
            if wanted := typed[name]:
                words = own_words.get(custom.key, {})
                asked.append(Question(custom.key, wanted == "required", words))
        for number in OWN:
            key = typed[f"own_{number}"].strip()
            if not key:
                continue
            labels = {}
            for language, _name in settings.LANGUAGES:
                labels[language] = typed[f"own_{number}_{language}"]
            required = typed[f"own_{number}_required"]
            said = {language: text for language, text in labels.items() if text}
            asked.append(Question(key, required, said))
        return asked


def _chosen(row: SignUpForm | None) -> Any:
    """The types of the form stay on offer, whatever became of them."""
    if row is None:
        return NotificationType.objects.none()
    return NotificationType.objects.filter(pk__in=row.types.values("pk"))


def _initial(row: SignUpForm | None) -> dict[str, Any]:
    if row is None:
        return {"active": True}
    initial: dict[str, Any] = {
        "name": row.name,
        "types": [kind.key for kind in row.types.all()],
        "tags": ", ".join(row.tags),
        "welcome": row.welcome,
        "approval": row.approval,
        "thanks_url": row.thanks_url,
        "colour": row.colour,
        "active": row.active,
    }
    for language, words in row.texts.items():
        for name, text in words.items():
            initial[f"{name}_{language}"] = text
    return initial | _initial_questions(row)


def _initial_questions(row: SignUpForm) -> dict[str, Any]:
    initial: dict[str, Any] = {}
    own = []
    asked = {key: f"ask_{key}" for key in FIELDS}
    asked |= {field.key: f"ask_field-{field.pk}" for field in CustomField.objects.all()}
    for each in read(row.questions):
        if each.key not in asked:
            own.append(each)
        elif each.required:
            initial[asked[each.key]] = "required"
        else:
            initial[asked[each.key]] = "asked"
    for number, each in zip(OWN, own, strict=False):
        initial[f"own_{number}"] = each.key
        initial[f"own_{number}_required"] = each.required
        for language, text in each.labels.items():
            initial[f"own_{number}_{language}"] = text
    return initial


@requires(Capability.VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    joined = Count("sign_ups", filter=Q(sign_ups__state=SignUpState.JOINED))
    waiting = Count("sign_ups", filter=Q(sign_ups__state=SignUpState.CONFIRMED))
    rows = list(SignUpForm.objects.annotate(joined=joined, waiting=waiting))
    return render(request, "dashboard/audience/sign_up_forms/list.html", {"rows": rows})


@requires(Capability.VIEW)
@require_safe
def view(request: HttpRequest, key: str) -> HttpResponse:
    """The form with its address, the snippet for other pages, and whoever signed up."""
    row = get_object_or_404(SignUpForm, key=key)
    state = request.GET.get("state", "")
    sign_ups = row.sign_ups.select_related("follower", "wording")
    if state in SignUpState.values:
        sign_ups = sign_ups.filter(state=state)
    page = page_of(request, sign_ups)
    fields = KnownFields()
    for each in page.rows:
        beside(each, said=_answers(each, fields))
    context = {
        "row": row,
        "page": page,
        "state": state,
        "states": SignUpState.choices,
        "address": settings.SITE_URL + reverse("subscriptions:join", args=[row.key]),
        "snippet": snippet_of(row),
        "types": row.types.all(),
    }
    return render(request, "dashboard/audience/sign_up_forms/view.html", context)


def _answers(sign_up: SignUp, fields: KnownFields) -> list[tuple[str, Any]]:
    """What somebody answered, as people read it."""
    language = get_language() or settings.LANGUAGE_CODE
    said = []
    for key, value in sign_up.answers.items():
        if custom := fields.by_key.get(key):
            said.append((custom.label(language), custom.shown(value, language)))
        else:
            said.append((key, value))
    return said


def snippet_of(row: SignUpForm) -> str:
    """Write the form as plain HTML for any page, in the site's language."""
    language = settings.LANGUAGE_CODE
    with translation.override(language):
        kinds = list(row.types.order_by("position", "name"))
        context = {
            "row": row,
            "texts": row.texts[language],
            "lines": _lines(row, language),
            "kinds": kinds[1:] and kinds,
            "language": language,
            "action": settings.SITE_URL + reverse("subscriptions:join", args=[row.key]),
            "script": settings.SITE_URL + reverse("subscriptions:sign-up-script"),
        }
        page = "dashboard/audience/sign_up_forms/snippet.html"
        return render_to_string(page, context).strip()


def _lines(row: SignUpForm, language: str) -> list[dict[str, Any]]:
    """The questions as the snippet writes them; `choices` where there is something to choose."""
    fields = KnownFields()
    lines = []
    for each in read(row.questions):
        custom = fields.by_key.get(each.key)
        kind = ""
        choices: list[tuple[str, str]] = []
        if custom:
            kind = custom.kind
            choices = custom.choices(language)
        if kind == FieldKind.BOOLEAN:
            choices = [("yes", gettext("Yes")), ("no", gettext("No"))]
        label = each.label(language, language, custom)
        lines.append(
            {
                "key": each.key,
                "required": each.required,
                "label": label,
                "kind": kind,
                "choices": choices,
            }
        )
    return lines


@requires(Capability.EDIT)
def add(request: HttpRequest) -> HttpResponse:
    return _edit(request, None)


@requires(Capability.EDIT)
def edit(request: HttpRequest, key: str) -> HttpResponse:
    return _edit(request, get_object_or_404(SignUpForm, key=key))


def _edit(request: HttpRequest, row: SignUpForm | None) -> HttpResponse:
    form = EditForm(request.POST or None, row=row)

    def save() -> SignUpForm:
        by = staff_actor(request)
        now = timezone.now()
        if row:
            return change_form(form=row, values=form.values(), by=by, now=now)
        return create_form(key=form.cleaned_data["key"], values=form.values(), by=by, now=now)

    def done(saved: SignUpForm) -> HttpResponse:
        said = gettext("{name} was added.")
        if row:
            said = gettext("{name} was saved.")
        messages.success(request, said.format(name=saved.name))
        return redirect("dashboard:sign-up-form", saved.key)

    template = "dashboard/audience/sign_up_forms/edit.html"
    return edit_page(request, form, template, {"row": row}, save=save, done=done)


# To let somebody join is to let messages leave for them.
@requires(Capability.SEND)
@require_POST
def decide(request: HttpRequest, key: str) -> HttpResponse:
    """Approve or decline those that were ticked, or the one whose button was pressed."""
    row = get_object_or_404(SignUpForm, key=key)
    act = _ACTS.get(request.POST.get("do", ""))
    done = 0
    if act:
        ticked = map(read_uid, request.POST.getlist("sign_up")[:MOST])
        for sign_up in row.sign_ups.filter(uid__in=filter(None, ticked)):
            try:
                act(sign_up=sign_up, by=staff_actor(request), now=timezone.now())
            except Refused as error:
                messages.error(request, f"{sign_up.email}: {error.sentence}")
            else:
                done += 1
    if done:
        said = ngettext("{count} sign-up was decided.", "{count} sign-ups were decided.", done)
        messages.success(request, said.format(count=done))
    return redirect("dashboard:sign-up-form", row.key)


_ACTS: Mapping[str, Callable[..., SignUp]] = {
    "approve": confirm.approve,
    "decline": confirm.decline,
}


urlpatterns = [
    path("sign-up-forms/", index, name="sign-up-forms"),
    path("sign-up-forms/add/", add, name="sign-up-form-add"),
    path("sign-up-forms/<slug:key>/", view, name="sign-up-form"),
    path("sign-up-forms/<slug:key>/edit/", edit, name="sign-up-form-edit"),
    path("sign-up-forms/<slug:key>/decide/", decide, name="sign-up-form-decide"),
]
