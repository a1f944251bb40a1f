"""Writing and publishing: every change of a template goes through one of these acts.

A template has at most one draft, which is edited, and one published version, which new messages
use. Published versions never change: restoring an old one copies its words into a new draft.
"""

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils.translation import gettext as _

from apps.content.channel_parts import CHANNEL_PARTS
from apps.content.lint import problems
from apps.content.mail_text import text_of
from apps.content.models import Layout, Link, Template, Translation, Version, VersionState
from apps.content.problems import NotPublishable, TemplateProblem
from apps.content.render import Compiled
from apps.lib.actor import Actor, ActorKind
from apps.lib.facts import Kind, tell
from apps.lib.partial import UNSET, Unset
from apps.lib.refusals import NOT_FOUND, RefusalKind, Refused

Words = Mapping[str, Mapping[str, str]]  # {"email": {"subject": …}, "in_app": {…}}
Parts = dict[str, dict[str, str]]  # Words, checked: every part of a channel is there
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")


class KeyTaken(Refused):
    """Another template has the key already."""

    kind = RefusalKind.STATE
    field = "key"


class DraftChanged(Refused):
    """Somebody else saved since the page was opened; nothing was written."""

    kind = RefusalKind.STATE


class BadWords(Refused):
    """Translations of the wrong shape: an unknown language, channel or part."""

    field = "translations"


def create_template(
    *,
    key: str,
    name: str,
    translations: Mapping[str, Words],
    by: Actor,
    now: dt.datetime,
    description: str = "",
    private: bool = False,
    stock: bool = False,
    variables: Iterable[Mapping[str, Any]] = (),
    layout: Layout | None = None,
    default_language: str = "en",
) -> Template:
    """Create a template with its first draft. Raises KeyTaken, BadWords."""
    words = {language: _checked(language, parts) for language, parts in translations.items()}
    with transaction.atomic():
        template, created = Template.objects.get_or_create(
            key=key,
            defaults={
                "name": name,
                "description": description,
                "private": private,
                "stock": stock,
                "created_at": now,
            },
        )
        if not created:
            said = _("There is already a template with the key {key}. Choose another key.")
            raise KeyTaken(said.format(key=key))
        version = _new_draft(
            template, by=by, now=now, default_language=default_language, layout=layout
        )
        version.variables = list(variables)
        version.save(update_fields=["variables"])
        _write(version, words, untouched=stock)
        tell(
            Kind.TEMPLATE_CREATED, by=by, now=now, about=template, data={"version": version.number}
        )
    return template


@dataclass(frozen=True, slots=True)
class DraftValues:
    """What an editor changes of a draft.

    `translations` replaces whole languages; None for a language removes it. `kept` are languages
    whose words are to be sent as they came from the template.
    """

    translations: Mapping[str, Words | None] | Unset = UNSET
    kept: Iterable[str] | Unset = UNSET
    variables: Iterable[Mapping[str, Any]] | Unset = UNSET
    layout: Layout | Unset | None = UNSET
    default_language: str | Unset = UNSET
    note: str | Unset = UNSET


def edit_draft(
    *,
    template: Template,
    values: DraftValues,
    seen: dt.datetime | None = None,
    by: Actor,
    now: dt.datetime,
) -> Version:
    """Change the draft, made from the published version when there is none yet.

    `seen` is the `updated_at` of the version the editor looked at; a later save by somebody else
    raises DraftChanged. Raises BadWords.
    """
    words: dict[str, Parts] = {}
    gone: list[str] = []
    if values.translations is not UNSET:
        for language, parts in values.translations.items():
            if parts is None:
                gone.append(language)
            else:
                words[language] = _checked(language, parts)
    with transaction.atomic():
        _check_seen(template, seen)
        draft = _draft_of(template, by=by, now=now)
        if values.variables is not UNSET:
            draft.variables = list(values.variables)
        if values.layout is not UNSET:
            draft.layout = values.layout
        if values.default_language is not UNSET:
            draft.default_language = values.default_language
        if values.note is not UNSET:
            draft.note = values.note[:200]
        draft.updated_at = now
        draft.save()
        draft.translations.filter(language__in=gone).delete()
        _write(draft, words)
        data: dict[str, Any] = {"version": draft.number, "languages": sorted([*words, *gone])}
        if values.kept is not UNSET:
            data["kept"] = sorted(values.kept)
            draft.translations.filter(language__in=data["kept"]).update(untouched=False)
        tell(Kind.TEMPLATE_CHANGED, by=by, now=now, about=template, data=data)
    return _fresh(draft)


def publish(*, template: Template, by: Actor, now: dt.datetime) -> Version:
    """Make the draft the version new messages use; without one the published version stays.

    Raises NotPublishable with everything that is wrong.
    """
    with transaction.atomic():
        _locked(template)
        draft = draft_version(template)
        if draft is None and (published := published_version(template)):
            return published
        if draft is None:
            message = _("there is no draft to publish. Change something first.")
            raise NotPublishable([TemplateProblem(template.key, None, message)])
        if found := problems(draft):
            raise NotPublishable(found)
        if draft.layout:
            draft.layout_html = draft.layout.html
            if draft.layout.text.strip():
                draft.layout_text = draft.layout.text
            else:
                draft.layout_text = text_of(draft.layout.html)
        template.versions.filter(state=VersionState.PUBLISHED).update(state=VersionState.SUPERSEDED)
        draft.state = VersionState.PUBLISHED
        draft.published_at = now
        draft.updated_at = now
        draft.save()
        links = enumerate(Compiled(draft).mail_links(), start=1)
        Link.objects.bulk_create(
            Link(version=draft, number=number, url=url) for number, url in links
        )
        tell(
            Kind.TEMPLATE_PUBLISHED, by=by, now=now, about=template, data={"version": draft.number}
        )
    return _fresh(draft)


def restore(*, version: Version, by: Actor, now: dt.datetime) -> Version:
    """Make a draft with the words, variables and layout of an older version.

    A draft that is there is overwritten.
    """
    template = version.template
    with transaction.atomic():
        draft = _draft_of(template, by=by, now=now)
        if draft.pk == version.pk:
            return draft
        _copy(version, draft)
        draft.note = f"Restored from version {version.number}"
        draft.updated_at = now
        draft.save()
        data = {"version": draft.number, "restored": version.number}
        tell(Kind.TEMPLATE_RESTORED, by=by, now=now, about=template, data=data)
    return _fresh(draft)


def delete_draft(*, template: Template, by: Actor, now: dt.datetime) -> None:
    """Forget the unpublished changes.

    A template that was never published keeps its draft: it is all there is.
    """
    with transaction.atomic():
        if not _locked(template).versions.filter(state=VersionState.PUBLISHED).exists():
            return
        drafts = template.versions.filter(state=VersionState.DRAFT)
        numbers = list(drafts.values_list("number", flat=True))
        drafts.delete()
        if numbers:
            data = {"discarded": numbers[0]}
            tell(Kind.TEMPLATE_CHANGED, by=by, now=now, about=template, data=data)


def copy_template(
    *, template: Template, key: str, name: str, private: bool = False, by: Actor, now: dt.datetime
) -> Template:
    """Create a template whose draft has the published words of another one.

    Before the first publishing it has the draft's. Raises KeyTaken.
    """
    with transaction.atomic():
        source = published_version(template) or template.versions.select_related("layout").get()
        copy = create_template(
            key=key,
            name=name,
            description=template.description,
            private=private,
            translations={},
            by=by,
            now=now,
        )
        draft = copy.versions.get()
        _copy(source, draft)
        draft.translations.update(untouched=True)
        draft.save()
    return copy


def rename_template(
    *, template: Template, name: str, description: str, by: Actor, now: dt.datetime
) -> Template:
    """Change what staff call it; the key that programs use never changes."""
    with transaction.atomic():
        before = {"name": template.name, "description": template.description}
        template.name = name
        template.description = description
        template.save(update_fields=["name", "description"])
        after = {"name": name, "description": description}
        data = {"before": before, "after": after}
        tell(Kind.TEMPLATE_CHANGED, by=by, now=now, about=template, data=data)
    return template


def archive(*, template: Template, by: Actor, now: dt.datetime) -> None:
    """Take it out of the library; running sends and its history keep it.

    A second time changes nothing.
    """
    with transaction.atomic():
        if _locked(template).archived_at:
            return
        template.archived_at = now
        template.save(update_fields=["archived_at"])
        tell(Kind.TEMPLATE_ARCHIVED, by=by, now=now, about=template)


def unarchive(*, template: Template, by: Actor, now: dt.datetime) -> None:
    with transaction.atomic():
        template.archived_at = None
        template.save(update_fields=["archived_at"])
        tell(Kind.TEMPLATE_CHANGED, by=by, now=now, about=template, data={"unarchived": True})


def languages_in_use() -> list[str]:
    """List the languages in which published words of the library are, by their tags."""
    published = Translation.objects.filter(
        version__state=VersionState.PUBLISHED, version__template__private=False
    )
    tags = published.order_by("language").values_list("language", flat=True)
    return list(tags.distinct())


def published_version(template: Template) -> Version | None:
    """Return the version new messages use."""
    versions = template.versions.filter(state=VersionState.PUBLISHED)
    return versions.select_related("layout", "template").first()


def draft_version(template: Template) -> Version | None:
    """Return the version that is being edited."""
    versions = template.versions.filter(state=VersionState.DRAFT)
    return versions.select_related("layout", "template").first()


def spoken(version: Version) -> frozenset[str]:
    """Return the channels that a published version has words for."""
    return _spoken(version.uid, version.published_at)


def wordless(version: Version, channels: Iterable[str]) -> str:
    """Say what is wrong with sending a published version on these channels.

    "" if it has words for each of them.
    """
    there = spoken(version)
    missing = [channel for channel in channels if channel not in there]
    if not missing:
        return ""
    lacking = _labels(missing)
    known = _labels(sorted(there))
    said = _("The template {key} has no words for {lacking}, only for {known}.")
    return said.format(key=version.template.key, lacking=lacking, known=known)


# What is published never changes, and the words may have 100 kB.
# One that was rolled back has a moment of its own.
@lru_cache(maxsize=1000)
def _spoken(version: UUID, _published_at: dt.datetime | None) -> frozenset[str]:
    parts = Translation.objects.filter(version__uid=version).values_list("parts", flat=True)
    return frozenset(chain.from_iterable(parts))


def _labels(channels: Iterable[str]) -> str:
    return ", ".join(_label(channel) for channel in channels)


def _label(channel: str) -> str:
    if channel in CHANNEL_PARTS:
        return str(CHANNEL_PARTS[channel].label)
    return channel


# ---- pieces
def _locked(template: Template) -> Template:
    """Lock a template, so that two people who save at once come one after the other."""
    return Template.objects.select_for_update().get(pk=template.pk)


def _check_seen(template: Template, seen: dt.datetime | None) -> None:
    _locked(template)
    current = draft_version(template) or published_version(template)
    if seen and current and current.updated_at != seen:
        said = _("Version {number} was saved at {time} UTC by somebody else.")
        if current.state == VersionState.PUBLISHED:
            said = _("Version {number} was published at {time} UTC by somebody else.")
        at = f"{current.updated_at:%H:%M:%S}"
        raise DraftChanged(said.format(number=current.number, time=at))


def _draft_of(template: Template, *, by: Actor, now: dt.datetime) -> Version:
    _locked(template)
    draft = draft_version(template)
    if draft is None:
        published = published_version(template)
        draft = _new_draft(template, by=by, now=now)
        if published:
            _copy(published, draft)
            draft.save()
    return draft


def _new_draft(template: Template, *, by: Actor, now: dt.datetime, **fields: Any) -> Version:
    newest = template.versions.order_by("-number").values_list("number", flat=True).first() or 0
    author = None
    if by.kind is ActorKind.STAFF and by.id:
        author = get_user_model().objects.filter(uid=by.id).first()
    return Version.objects.create(
        template=template,
        number=newest + 1,
        created_by=author,
        created_at=now,
        updated_at=now,
        **fields,
    )


def _copy(source: Version, draft: Version) -> None:
    """Copy everything an author wrote; the draft's own row is saved by the caller."""
    draft.variables = source.variables
    draft.layout = source.layout
    draft.default_language = source.default_language
    draft.translations.all().delete()
    for row in source.translations.all():
        _write(draft, {row.language: row.parts}, untouched=row.untouched)


def _write(version: Version, words: Mapping[str, Words], *, untouched: bool = False) -> None:
    """Write the words of some languages; one that says what it said stays as it is."""
    said = {row.language: row.parts for row in version.translations.all()}
    for language, parts in words.items():
        if said.get(language) != parts:
            values = {"parts": parts, "untouched": untouched}
            Translation.objects.update_or_create(
                version=version, language=language, defaults=values
            )


def _checked(language: str, parts: Words) -> Parts:
    if not _LANGUAGE.fullmatch(language) or len(language) > 35:
        said = _("“{language}” is not a language tag. Use one such as en, ru or pt-BR.")
        raise BadWords(said.format(language=language), cause=NOT_FOUND)
    for channel, words in parts.items():
        if channel not in CHANNEL_PARTS:
            said = _("There is no channel {channel}. Known: {known}.")
            raise BadWords(said.format(channel=channel, known=", ".join(CHANNEL_PARTS)))
        known = [part.name for part in CHANNEL_PARTS[channel].parts]
        listed = ", ".join(known)
        if not isinstance(words, Mapping):
            said = _("{channel} must be an object of its parts: {known}.")
            raise BadWords(said.format(channel=channel, known=listed))
        for name, text in words.items():
            if name not in known:
                said = _("{channel} has no part {name}. Known: {known}.")
                raise BadWords(said.format(channel=channel, name=name, known=listed))
            if not isinstance(text, str):
                said = _("{part} must be text.")
                raise BadWords(said.format(part=f"{channel}.{name}"))
    return {channel: _whole(channel, words) for channel, words in parts.items()}


def _whole(channel: str, words: Mapping[str, str]) -> dict[str, str]:
    """Give every part of a channel its words, "" where there are none."""
    names = [part.name for part in CHANNEL_PARTS[channel].parts]
    return {name: words.get(name, "").replace("\r\n", "\n") for name in names}


def _fresh(version: Version) -> Version:
    return Version.objects.select_related("layout", "template").get(pk=version.pk)
