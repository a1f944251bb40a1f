"""Importing followers: upload, name the columns, see what would happen, start, watch,
fetch what was refused or left out.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from operator import itemgetter
from typing import Any
from uuid import UUID

import phonenumbers
from babel import Locale
from crispy_forms.layout import Layout
from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.defaultfilters import filesizeformat
from django.urls import path
from django.utils import timezone
from django.utils.translation import get_language, gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.actors import staff_actor
from apps.accounts.permissions import Capability, may, requires
from apps.dashboard.shell.forms import offer, plain_helper
from apps.dashboard.shell.paging import page_of
from apps.followers.imports import run, upload
from apps.followers.imports.columns import CONSENT, TARGETS, UNDECIDED, BadMapping, as_metadata
from apps.followers.imports.csv_file import BadFile, Reading
from apps.followers.imports.encoding import ENCODINGS
from apps.followers.imports.options import REFUSE, WITHOUT_PLUS
from apps.followers.imports.preview import meaning_of, preview_of
from apps.followers.imports.problems_file import problems_csv, problems_in_words
from apps.followers.imports.upload import AlreadyStarted, read_again, start_upload
from apps.followers.models import (
    Channel,
    CustomField,
    Import,
    ImportProblem,
    ImportState,
    NotificationType,
)
from apps.lib.refusals import Refused

SHOWN = 15  # rows of the preview
ACCEPTED = (
    ".csv,text/csv,text/plain,.xlsx,"
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
)
UNKNOWN = "?"  # chosen for a word that nobody has given a meaning yet
# What a word about consent can mean.
MEANINGS = {
    "subscribed": _("Subscribed"),
    "unsubscribed": pgettext_lazy("meaning of a word", "Not subscribed"),
    "bounced": pgettext_lazy("meaning of a word", "Mail came back"),
    "complained": pgettext_lazy("meaning of a word", "Marked as spam"),
    "": pgettext_lazy("meaning of a word", "Nothing"),
    REFUSE: _("Refuse these rows"),
}


DELIMITERS = {",": _("Comma"), ";": _("Semicolon"), "\t": _("Tab"), "|": _("Vertical bar")}

# What encodings are for, as ENCODINGS says in brackets.
SCRIPTS = {
    "Arabic": pgettext_lazy("encoding", "Arabic"),
    "Baltic": pgettext_lazy("encoding", "Baltic"),
    "Central European": pgettext_lazy("encoding", "Central European"),
    "Cyrillic": pgettext_lazy("encoding", "Cyrillic"),
    "Greek": pgettext_lazy("encoding", "Greek"),
    "Hebrew": pgettext_lazy("encoding", "Hebrew"),
    "Japanese": pgettext_lazy("encoding", "Japanese"),
    "Korean": pgettext_lazy("encoding", "Korean"),
    "Russian": pgettext_lazy("encoding", "Russian"),
    "Simplified Chinese": pgettext_lazy("encoding", "Simplified Chinese"),
    "Thai": pgettext_lazy("encoding", "Thai"),
    "Traditional Chinese": pgettext_lazy("encoding", "Traditional Chinese"),
    "Turkish": pgettext_lazy("encoding", "Turkish"),
    "Ukrainian": pgettext_lazy("encoding", "Ukrainian"),
    "Vietnamese": pgettext_lazy("encoding", "Vietnamese"),
    "Western European": pgettext_lazy("encoding", "Western European"),
}


def _encodings() -> list[tuple[str, str]]:
    """Offer the encodings, by the name of the codec; "" lets it be found out."""
    offered = [("", gettext("Find out"))]
    for codec, label in ENCODINGS.items():
        name, bracket, script = label.rstrip(")").partition(" (")
        if bracket:
            name = f"{name} ({SCRIPTS[script]})"
        offered.append((codec, name))
    return offered


_SELECT = forms.Select({"class": "form-select"})


class ReadingForm(forms.Form):
    """How a file is read, where it can't be found out."""

    encoding = forms.ChoiceField(
        label=_("Encoding"), required=False, choices=_encodings, widget=_SELECT
    )
    delimiter = forms.ChoiceField(
        label=_("Columns are separated by"),
        required=False,
        choices=[("", _("Find out")), *DELIMITERS.items()],
        widget=_SELECT,
    )

    def reading(self) -> Reading:
        return Reading(self.cleaned_data["encoding"], self.cleaned_data["delimiter"])


class SheetForm(forms.Form):
    """Which sheet of a workbook is read."""

    sheet = forms.ChoiceField(label=_("Sheet"), widget=_SELECT)

    def __init__(self, *args: Any, sheets: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer(self, "sheet", [(sheet, sheet) for sheet in sheets])

    def reading(self) -> Reading:
        return Reading(sheet=self.cleaned_data["sheet"])


def _reading_form(job: Import, posted: QueryDict | None = None) -> ReadingForm | SheetForm:
    sheets = job.dialect.get("sheets", [])
    if sheets:
        return SheetForm(posted, sheets=sheets, initial={"sheet": job.dialect["sheet"]})
    names = ("encoding", "delimiter")
    return ReadingForm(posted, initial={name: job.dialect[name] for name in names})


class UploadForm(ReadingForm):
    file = forms.FileField(
        label=_("CSV file or Excel workbook"),
        error_messages={
            "required": _("Choose a file first."),
            "empty": _(
                "The file is empty. Save the table as CSV again, with the headings in its first "
                "line."
            ),
        },
        widget=forms.FileInput({"accept": ACCEPTED, "class": "form-control"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        most = filesizeformat(settings.IMPORT_MAX_BYTES)
        said = gettext(
            "The first line names the columns. Up to {most}; "
            "commas, semicolons and tabs are understood, so are workbooks (XLSX)."
        )
        self.fields["file"].help_text = said.format(most=most)
        self.order_fields(["file", "encoding", "delimiter"])
        self.helper = plain_helper()


class MappingForm(forms.Form):
    """A choice per column, named by its place in the file, and the options for all rows."""

    do_not_contact = forms.BooleanField(
        label=_("This is a do-not-contact list"),
        required=False,
        help_text=_(
            "Each address of the file goes to the suppression list: nothing is sent to it any "
            "more. Nobody is added or changed."
        ),
    )
    standing = forms.ChoiceField(
        label=_("What are these people?"),
        required=False,
        choices=[
            ("", _("As the columns say; without one, subscribed")),
            ("unsubscribed", _("All have opted out, or never opted in")),
            ("bounced", _("Mail to all of them came back")),
            ("complained", _("All marked a mail as spam")),
        ],
        help_text=_("Some programs say it only in the name of the file."),
    )
    welcome = forms.ChoiceField(
        label=_("Are these sign-ups?"),
        required=False,
        help_text=_("Decides whether people who are new here get a welcome message."),
    )
    country = forms.ChoiceField(
        label=_("Country of phone numbers without country code"),
        required=False,
        help_text=_("Such as 0151 1234567. Without a country such numbers are left out."),
    )
    dates = forms.ChoiceField(
        label=_("Dates such as 03/04/2023"),
        required=False,
        choices=[
            ("", _("Leave out what can't be told")),
            ("day", _("Begin with the day: 3 April")),
            ("month", _("Begin with the month: March 4")),
        ],
    )
    tags = forms.CharField(
        label=_("Put these tags on everybody in the file"),
        required=False,
        help_text=_("Separated by commas."),
    )
    update = forms.BooleanField(
        label=_("Change followers that exist already"),
        required=False,
        initial=True,
        help_text=_(
            "Otherwise they stay as they are. Either way nobody who unsubscribed is subscribed "
            "again."
        ),
    )
    wording = forms.CharField(
        label=_("Which consent text did these people see?"),
        required=False,
        max_length=40,
        help_text=_("Such as “newsletter form, May 2026”. Kept in the consent record of each."),
    )

    def __init__(self, *args: Any, job: Import, greets: bool, **kwargs: Any) -> None:
        """Prepare the form of an import; `greets`: whether its reader may let messages leave."""
        super().__init__(*args, **kwargs)
        known = _countries(get_language() or "en")
        without = (WITHOUT_PLUS, gettext("They have a country code, but no plus sign"))
        offer(self, "country", [("", gettext("None")), without, *known])
        offer(self, "welcome", _greetings(greets=greets))
        if not greets:
            self.fields["welcome"].help_text = gettext("Senders may send a welcome message.")
        for name in ("do_not_contact", "standing", "country", "dates"):
            self.fields[name].initial = job.options.get(name)
        self.job = job
        self.columns: list[str] = job.dialect["columns"]
        language = get_language() or settings.LANGUAGE_CODE
        own = [(as_metadata(row.key), row.label(language)) for row in CustomField.objects.all()]
        for number, column in enumerate(self.columns):
            target = job.mapping.get(column, "ignore")
            self.fields[f"column-{number}"] = _target_field(column, target, own)
        self.helper = plain_helper()
        self.helper.layout = Layout(
            "do_not_contact", "standing", "welcome", "country", "dates", "tags", "update", "wording"
        )

    def column_fields(self) -> list[Any]:
        return [self[f"column-{number}"] for number in range(len(self.columns))]

    def mapping(self) -> dict[str, str]:
        if self.is_bound:
            values = self.cleaned_data
        else:
            values = {name: field.initial for name, field in self.fields.items()}
        mapping = {}
        for number, column in enumerate(self.columns):
            mapping[column] = values[f"column-{number}"]
        return mapping

    def options(self) -> dict[str, Any]:
        if not self.is_bound:
            return {}  # as it was suggested
        names = (
            "update",
            "wording",
            "country",
            "do_not_contact",
            "standing",
            "dates",
            "welcome",
        )
        options = {name: self.cleaned_data[name] for name in names}
        options["tags"] = self.cleaned_data["tags"].split(",")
        options["values"] = self.values()
        return options

    def meanings(self) -> list[tuple[str, str, str]]:
        """Give what was chosen below the preview: (column, word, meaning)."""
        if not isinstance(self.data, QueryDict):
            return []
        said = [self.data.getlist(f"said-{name}") for name in ("column", "word", "meaning")]
        return [each for each in zip(*said, strict=False) if each[2] != UNKNOWN]

    def values(self) -> dict[str, dict[str, str]]:
        """Give the meanings that differ from what is read anyway."""
        mapping = self.mapping()
        values: dict[str, dict[str, str]] = {}
        for column, word, meaning in self.meanings():
            target = mapping.get(column, "")
            about_consent = target in CONSENT
            if meaning != meaning_of(target, word) and (meaning or about_consent):
                values.setdefault(column, {})[word] = meaning
        return values


def _target_field(column: str, target: str, own: Sequence[tuple[str, str]]) -> forms.ChoiceField:
    """What a column of the file may become; `target` is chosen at first, `own` are the fields."""
    choices: list[Any] = [*TARGETS.items()]
    if own:
        choices.append((_("Custom fields"), list(own)))
    if as_metadata(column) not in dict(own) and not settings.CUSTOM_FIELDS_ONLY:
        choices.append((as_metadata(column), _("Keep as metadata")))
    if target == UNDECIDED:
        choices.insert(0, (UNDECIDED, _("Choose: may say who opted out")))
    small = forms.Select({"class": "form-select form-select-sm"})
    return forms.ChoiceField(
        label=column, choices=choices, initial=target, widget=small, required=False
    )


def _greetings(*, greets: bool) -> list[tuple[str, str]]:
    """Offer the message types that can greet people, by key; "" greets nobody."""
    offered = [("", gettext("No, they are people we know already: greet nobody"))]
    if not greets:
        return offered
    for kind in NotificationType.objects.filter(active=True, confirms=False):
        if Channel.EMAIL in kind.channels:
            said = gettext("Yes: send “{type}” to each who is new")
            offered.append((kind.key, said.format(type=kind.name)))
    return offered


@cache
def _countries(language: str) -> list[tuple[str, str]]:
    """List the countries that have phone numbers, by name: (code, "Germany (+49)")."""
    names = Locale.parse(language, sep="-").territories
    countries = []
    for code in phonenumbers.SUPPORTED_REGIONS:
        prefix = phonenumbers.country_code_for_region(code)
        countries.append((code, f"{names.get(code, code)} (+{prefix})"))
    return sorted(countries, key=itemgetter(1))


@requires(Capability.VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    page = page_of(request, Import.objects.all())
    return render(request, "dashboard/audience/imports/list.html", {"page": page})


@requires(Capability.EDIT)
def add(request: HttpRequest) -> HttpResponse:
    form = UploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        by = staff_actor(request)
        now = timezone.now()
        try:
            job = start_upload(
                file=file,
                file_name=file.name,
                reading=form.reading(),
                do_not_contact="do-not-contact" in request.GET,
                by=by,
                now=now,
            )
        except BadFile as error:
            form.add_error("file", str(error))
        else:
            return redirect("dashboard:import", job.uid)
    return render(request, "dashboard/audience/imports/add.html", {"form": form})


@requires(Capability.VIEW)
def detail(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Show columns and preview before the start; after it progress, then the result."""
    job = get_object_or_404(Import, uid=uid)
    if job.state == ImportState.UPLOADED and may(request.user, Capability.EDIT):
        return _mapping(request, job)
    problems: Iterable[ImportProblem] = []
    if job.refused or job.incomplete:
        problems = problems_in_words(job, SHOWN)
    context = {"job": job, "problems": problems}
    return render(request, "dashboard/audience/imports/detail.html", context)


def _mapping(request: HttpRequest, job: Import) -> HttpResponse:
    greets = may(request.user, Capability.SEND)
    form = MappingForm(request.POST or None, job=job, greets=greets)
    preview = None
    refusal = ""
    if not form.is_bound or form.is_valid():
        mapping = form.mapping()
        options = form.options()
        try:
            if request.POST.get("do") == "start":
                by = staff_actor(request)
                now = timezone.now()
                run.start(job=job, mapping=mapping, options=options, by=by, now=now)
                return redirect("dashboard:import", job.uid)
            preview = preview_of(job, mapping, SHOWN, options=options)
        except BadMapping as error:
            refusal = str(error)
        except AlreadyStarted as error:
            messages.info(request, str(error))
            return redirect("dashboard:import", job.uid)
    context = {
        "job": job,
        "form": form,
        "reading": _reading_form(job),
        "preview": preview,
        "refusal": refusal,
        "meanings": MEANINGS,
        "said": form.meanings(),
    }
    return render(request, "dashboard/audience/imports/mapping.html", context)


@requires(Capability.EDIT)
@require_POST
def reread(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Read the file in the encoding and with the delimiter that a person chose."""
    job = get_object_or_404(Import, uid=uid)
    form = _reading_form(job, request.POST)
    try:
        if form.is_valid():
            read_again(job=job, reading=form.reading())
    except Refused as error:
        messages.error(request, str(error))
    return redirect("dashboard:import", uid)


@requires(Capability.EDIT)
@require_POST
def discard(request: HttpRequest, uid: UUID) -> HttpResponse:
    job = Import.objects.filter(uid=uid).first()
    if job is None:
        return redirect("dashboard:imports")
    try:
        upload.discard(job=job)
    except AlreadyStarted as error:
        messages.error(request, str(error))
        return redirect("dashboard:import", uid)
    said = gettext("{file} is discarded; nothing was imported.")
    messages.success(request, said.format(file=job.file_name))
    return redirect("dashboard:imports")


@requires(Capability.VIEW)
@require_safe
def problems(request: HttpRequest, uid: UUID) -> StreamingHttpResponse:
    """The rows that were refused or lost a cell, as a file to be mended and uploaded again."""
    job = get_object_or_404(Import, uid=uid)
    headers = {"Content-Disposition": f'attachment; filename="problems-{job.uid}.csv"'}
    return StreamingHttpResponse(
        problems_csv(job), content_type="text/csv; charset=utf-8", headers=headers
    )


urlpatterns = [
    path("imports/", index, name="imports"),
    path("imports/add/", add, name="import-add"),
    path("imports/<uuid:uid>/", detail, name="import"),
    path("imports/<uuid:uid>/reading/", reread, name="import-reading"),
    path("imports/<uuid:uid>/discard/", discard, name="import-discard"),
    path("imports/<uuid:uid>/refused.csv", problems, name="import-problems"),
]
