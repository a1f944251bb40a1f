"""Templates: the library, the editor of a draft, publishing,
and the history of what was said before.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.actors import staff_actor
from apps.accounts.permissions import Capability, may, requires
from apps.content import drafts
from apps.content.channel_parts import CHANNEL_PARTS
from apps.content.lint import findings
from apps.content.models import Template, Translation, Version, VersionState
from apps.content.problems import NotPublishable
from apps.dashboard.content import version_diff
from apps.dashboard.content.insertable import insertable
from apps.dashboard.content.template_forms import Editor, NameForm, NewTemplateForm, language_name
from apps.dashboard.shell.edit_page import edit_page
from apps.dashboard.shell.forms import whole_number
from apps.dashboard.shell.paging import beside

MOST_SHOWN = 300
# What a new template starts with, so that the editor has a language to write in.
BLANK: dict[str, dict[str, Any]] = {"en": {}}


# ---------------------------------------------------------------- library
@requires(Capability.VIEW)
@require_safe
def library(request: HttpRequest) -> HttpResponse:
    text = request.GET.get("q", "").strip()
    show = request.GET.get("show", "")
    rows = Template.objects.filter(private=False)
    rows = rows.filter(archived_at__isnull=show != "archived")
    if show in ("stock", "own"):
        rows = rows.filter(stock=show == "stock")
    if text:
        named = Q(name__icontains=text) | Q(key__icontains=text)
        rows = rows.filter(named | Q(description__icontains=text))
    current = Prefetch("versions", _current_ones(), to_attr="current")
    found = list(rows.prefetch_related(current)[: MOST_SHOWN + 1])
    for template in found:
        _tell_state(template)
    more = len(found) > MOST_SHOWN
    filtered = bool(text or show)
    context = {
        "templates": found[:MOST_SHOWN],
        "more": more,
        "text": text,
        "show": show,
        "filtered": filtered,
    }
    return render(request, "dashboard/content/templates/library.html", context)


def _current_ones() -> QuerySet[Version]:
    """Drafts and published versions, each with the languages it has words in."""
    current = (VersionState.DRAFT, VersionState.PUBLISHED)
    versions = Version.objects.filter(state__in=current)
    languages = Translation.objects.only("version_id", "language")
    return versions.prefetch_related(Prefetch("translations", languages))


def _tell_state(template: Any) -> None:
    """Put its draft, its published version and its languages beside a template.

    `template.current` holds the versions that `_current_ones` finds.
    """
    states = {version.state: version for version in template.current}
    published = states.get(VersionState.PUBLISHED)
    draft = states.get(VersionState.DRAFT)
    shown = published or draft
    languages = []
    if shown:
        languages = [row.language for row in shown.translations.all()]
    beside(template, published=published, draft=draft, languages=languages)


@requires(Capability.EDIT)
def create(request: HttpRequest) -> HttpResponse:
    initial = {"copy_of": request.GET.get("copy")}
    form = NewTemplateForm(request.POST or None, initial=initial)

    def save() -> Template:
        typed = form.cleaned_data
        key = typed["key"]
        name = typed["name"]
        by = staff_actor(request)
        now = timezone.now()
        if source := typed["copy_of"]:
            return drafts.copy_template(template=source, key=key, name=name, by=by, now=now)
        said = typed["description"]
        return drafts.create_template(
            key=key, name=name, description=said, translations=BLANK, by=by, now=now
        )

    def done(template: Template) -> HttpResponse:
        said = _("{name} is here as a draft. Nobody gets it until you publish it.")
        messages.success(request, said.format(name=template.name))
        return redirect("dashboard:template", template.uid)

    page = "dashboard/content/templates/create.html"
    return edit_page(request, form, page, {}, save=save, done=done)


# ---------------------------------------------------------------- editor
def _current(template: Template) -> Version:
    """The draft; without one the published version, whose words the next draft starts from."""
    versions = template.versions.select_related("layout").prefetch_related("translations")
    for state in (VersionState.DRAFT, VersionState.PUBLISHED):
        version = versions.filter(state=state).first()
        if version:
            return version
    return versions.latest("number")


@requires(Capability.VIEW)
@require_safe
def show(request: HttpRequest, uid: UUID) -> HttpResponse:
    """The editor for those who may edit; for the others, and in the archive,
    the same words to read.
    """
    template = get_object_or_404(Template, uid=uid)
    version = _current(template)
    if template.archived_at or not may(request.user, Capability.EDIT):
        return _reading(request, version)
    return _editing(request, version, Editor(version))


def _editing(request: HttpRequest, version: Version, editor: Editor, **more: Any) -> HttpResponse:
    template = version.template
    found = []
    if not more.get("conflict"):
        found = findings(version)
    homeless = editor.show_problems(found)
    published = template.versions.filter(state=VersionState.PUBLISHED).first()
    named = {"name": template.name, "description": template.description}
    name_form = NameForm(initial=named)
    context = {
        "template": template,
        "version": version,
        "editor": editor,
        "problems": found,
        "homeless": homeless,
        "published": published,
        "draft": version.state == VersionState.DRAFT,
        "name_form": name_form,
        "insertable": insertable(version),
        **more,
    }
    return render(request, "dashboard/content/templates/editor.html", context)


@requires(Capability.EDIT)
@require_POST
def save(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Save the draft, and publish it or open a new language if that button was pressed."""
    template = get_object_or_404(Template, uid=uid, archived_at=None)
    version = _current(template)
    editor = Editor(version, request.POST)
    if not editor.is_valid():
        return _editing(request, version, editor, invalid=True)
    typed = editor.draft.cleaned_data
    values = drafts.DraftValues(
        translations=editor.words(),
        kept=editor.kept(),
        variables=editor.variables.declarations(),
        layout=typed["layout"],
        default_language=typed["default_language"],
        note=typed["note"],
    )
    seen = parse_datetime(typed["seen"] or "")
    by = staff_actor(request)
    now = timezone.now()
    try:
        version = drafts.edit_draft(template=template, values=values, seen=seen, by=by, now=now)
    except drafts.DraftChanged as error:
        return _conflict(request, template, editor, str(error))
    if request.POST.get("then") == "publish":
        try:
            version = drafts.publish(template=template, by=by, now=now)
        except NotPublishable as error:
            saved = _current(template)
            return _editing(request, saved, Editor(saved), refused=error.problems)
        said = _("Version {number} is published; new messages use it from now on.")
        messages.success(request, said.format(number=version.number))
        if any(each.warns for each in findings(version)):
            messages.warning(request, _("Look at the notes below: something may be a mistake."))
    else:
        messages.success(request, _("The draft is saved."))
    return redirect("dashboard:template", uid)


def _conflict(request: HttpRequest, template: Template, editor: Editor, said: str) -> HttpResponse:
    """Somebody else saved in between: show what saving again would change of theirs,
    with what was typed kept.
    """
    theirs = _current(template)
    typed = editor.draft.cleaned_data
    chosen = typed["layout"]
    layout = ""
    if chosen:
        layout = chosen.name
    words = {}
    for language, parts in editor.words().items():
        if parts is not None:
            words[language] = parts
    variables = editor.variables.declarations()
    mine = version_diff.texts(
        words,
        variables=variables,
        layout=layout,
        default_language=typed["default_language"],
    )
    # saving again is then a decision that was made with theirs in sight
    data = request.POST.copy()
    data["seen"] = theirs.updated_at.isoformat()
    editor.draft.data = data
    before = version_diff.texts_of(theirs)
    changes = version_diff.changes(before, mine)
    return _editing(request, theirs, editor, conflict=said, changes=changes)


@requires(Capability.EDIT)
@require_POST
def rename(request: HttpRequest, uid: UUID) -> HttpResponse:
    template = get_object_or_404(Template, uid=uid)
    form = NameForm(request.POST)
    if form.is_valid():
        typed = form.cleaned_data
        name = typed["name"]
        description = typed["description"]
        by = staff_actor(request)
        now = timezone.now()
        drafts.rename_template(
            template=template, name=name, description=description, by=by, now=now
        )
        messages.success(request, _("The name is saved."))
    else:
        messages.error(request, _("A template needs a name of at most 120 characters."))
    return redirect("dashboard:template", uid)


@requires(Capability.EDIT)
@require_POST
def discard(request: HttpRequest, uid: UUID) -> HttpResponse:
    template = get_object_or_404(Template, uid=uid)
    drafts.delete_draft(template=template, by=staff_actor(request), now=timezone.now())
    messages.success(request, _("The draft is gone; the published version is as it was."))
    return redirect("dashboard:template", uid)


@requires(Capability.EDIT)
@require_POST
def unarchive(request: HttpRequest, uid: UUID) -> HttpResponse:
    template = get_object_or_404(Template, uid=uid)
    drafts.unarchive(template=template, by=staff_actor(request), now=timezone.now())
    messages.success(request, _("{name} is back in the library.").format(name=template.name))
    return redirect("dashboard:template", uid)


@requires(Capability.EDIT)
@require_POST
def archive(request: HttpRequest, uid: UUID) -> HttpResponse:
    template = get_object_or_404(Template, uid=uid)
    drafts.archive(template=template, by=staff_actor(request), now=timezone.now())
    said = _("{name} is in the archive; running sends keep using it.")
    messages.success(request, said.format(name=template.name))
    return redirect("dashboard:templates")


# ---------------------------------------------------------------- history
def _version(uid: UUID, number: Any) -> Version:
    versions = Version.objects.select_related("template", "layout")
    rows = versions.prefetch_related("translations")
    return get_object_or_404(rows, template__uid=uid, number=number)


@requires(Capability.VIEW)
@require_safe
def history(request: HttpRequest, uid: UUID) -> HttpResponse:
    """All versions, and what differs between two of them (`?old=` and `?new=`, numbers)."""
    template = get_object_or_404(Template, uid=uid)
    versions = list(template.versions.select_related("created_by"))
    numbers = [version.number for version in versions]
    old = whole_number(request.GET.get("old", ""))
    new = whole_number(request.GET.get("new", ""))
    changes = None
    if old in numbers and new in numbers:
        before = version_diff.texts_of(_version(uid, old))
        after = version_diff.texts_of(_version(uid, new))
        changes = version_diff.changes(before, after)
    if changes is None:  # the last two are offered
        new = numbers[0]
        old = numbers[min(1, len(numbers) - 1)]
    may_restore = may(request.user, Capability.EDIT) and template.archived_at is None
    context = {
        "template": template,
        "versions": versions,
        "old": old,
        "new": new,
        "changes": changes,
        "may_restore": may_restore,
    }
    return render(request, "dashboard/content/templates/history.html", context)


@requires(Capability.VIEW)
@require_safe
def version_page(request: HttpRequest, uid: UUID, number: int) -> HttpResponse:
    return _reading(request, _version(uid, number))


@dataclass(frozen=True, slots=True)
class Text:
    """The words of one part, with the name of its channel and its own."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class LanguageTexts:
    """Everything a version says in one language."""

    language: str
    name: str
    texts: list[Text]


def _texts_of(translation: Translation) -> LanguageTexts:
    texts = []
    for channel, known in CHANNEL_PARTS.items():
        if channel not in translation.parts:
            continue
        said = translation.parts[channel]
        for part in known.parts:
            label = f"{known.label}: {part.label}"
            texts.append(Text(label, said.get(part.name, "")))
    language = translation.language
    return LanguageTexts(language, language_name(language), texts)


def _reading(request: HttpRequest, version: Version) -> HttpResponse:
    words = [_texts_of(translation) for translation in version.translations.all()]
    context = {"template": version.template, "version": version, "words": words}
    return render(request, "dashboard/content/templates/version.html", context)


@requires(Capability.EDIT)
@require_POST
def restore(request: HttpRequest, uid: UUID, number: int) -> HttpResponse:
    version = _version(uid, number)
    drafts.restore(version=version, by=staff_actor(request), now=timezone.now())
    said = _("The draft has the words of version {number} again. Publish it to use them.")
    messages.success(request, said.format(number=number))
    return redirect("dashboard:template", uid)


urlpatterns = [
    path("templates/", library, name="templates"),
    path("templates/add/", create, name="template-new"),
    path("templates/<uuid:uid>/", show, name="template"),
    path("templates/<uuid:uid>/save/", save, name="template-save"),
    path("templates/<uuid:uid>/rename/", rename, name="template-rename"),
    path("templates/<uuid:uid>/discard/", discard, name="template-discard"),
    path("templates/<uuid:uid>/archive/", archive, name="template-archive"),
    path("templates/<uuid:uid>/unarchive/", unarchive, name="template-unarchive"),
    path("templates/<uuid:uid>/history/", history, name="template-history"),
    path("templates/<uuid:uid>/history/<int:number>/", version_page, name="template-version"),
    path("templates/<uuid:uid>/history/<int:number>/restore/", restore, name="template-restore"),
]
