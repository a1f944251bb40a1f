"""Drafts, publishing, restoring: the history of a template's words."""

import datetime as dt
from typing import Any

import pytest
from django.db import transaction

from apps.accounts.models import AuditEntry
from apps.content import drafts
from apps.content.layouts import save_layout
from apps.content.models import Template, VersionState
from apps.content.problems import NotPublishable
from apps.content.render import compiled
from apps.lib.actor import Actor, ActorKind
from tests.make import TESTER

NOW = dt.datetime(2026, 11, 21, 9, 0, tzinfo=dt.UTC)
PEOPLE: dict[str, Any] = {"follower": {"name": "Anna"}, "site": {}, "links": {}}


def english(
    subject: str = "Hello", html: str = "<p>Hi {{ follower.name }}</p>", text: str = ""
) -> dict[str, Any]:
    return {"email": {"subject": subject, "html": html, "text": text}}


def create(key: str = "hello", **fields: Any) -> Template:
    values = {"name": "Hello", "translations": {"en": english()}, "by": TESTER, "now": NOW}
    return drafts.create_template(key=key, **(values | fields))


@pytest.mark.django_db
def test_a_new_template_starts_with_a_draft_and_is_published_as_version_one() -> None:
    template = create()
    assert drafts.published_version(template) is None
    version = drafts.publish(template=template, by=TESTER, now=NOW)
    assert (version.number, version.state, version.published_at) == (1, VersionState.PUBLISHED, NOW)
    assert drafts.published_version(template) == version
    assert list(AuditEntry.objects.order_by("id").values_list("kind", flat=True)) == [
        "template.created",
        "template.published",
    ]


@pytest.mark.django_db
def test_a_key_is_used_once() -> None:
    create()
    with pytest.raises(drafts.KeyTaken, match="already a template with the key hello"):
        create()


@pytest.mark.django_db
def test_unknown_channels_parts_and_languages_are_refused() -> None:
    for translations, words in [
        ({"en": {"telegram": {"text": "x"}}}, "no channel telegram"),
        ({"en": {"email": {"topic": "x"}}}, "no part topic"),
        ({"english!": english()}, "not a language tag"),
        ({"en": {"email": {"subject": 5}}}, "must be text"),
    ]:
        with pytest.raises(drafts.BadWords, match=words):
            create(translations=translations)


@pytest.mark.django_db
def test_editing_after_publishing_makes_a_draft_and_leaves_the_published_words_alone() -> None:
    template = create()
    first = drafts.publish(template=template, by=TESTER, now=NOW)
    draft = drafts.edit_draft(
        template=template,
        values=drafts.DraftValues(translations={"en": english("New")}),
        by=TESTER,
        now=NOW,
    )
    assert (draft.number, draft.state) == (2, VersionState.DRAFT)
    assert drafts.published_version(template) == first
    assert compiled(first).render("email", "en", PEOPLE).parts["subject"] == "Hello"
    second = drafts.publish(template=template, by=TESTER, now=NOW)
    first.refresh_from_db()
    assert (first.state, second.state) == (VersionState.SUPERSEDED, VersionState.PUBLISHED)
    assert compiled(first).render("email", "en", PEOPLE).parts["subject"] == "Hello"


@pytest.mark.django_db
def test_editing_replaces_the_named_languages_only_and_none_removes_one() -> None:
    template = create(translations={"en": english(), "ru": english("Привет")})
    draft = drafts.edit_draft(
        template=template,
        values=drafts.DraftValues(translations={"ru": english("Здравствуйте")}),
        by=TESTER,
        now=NOW,
    )
    subjects = {t.language: t.parts["email"]["subject"] for t in draft.translations.all()}
    assert subjects == {"en": "Hello", "ru": "Здравствуйте"}
    draft = drafts.edit_draft(
        template=template, values=drafts.DraftValues(translations={"ru": None}), by=TESTER, now=NOW
    )
    assert [t.language for t in draft.translations.all()] == ["en"]


@pytest.mark.reported
@pytest.mark.django_db
def test_a_text_that_was_made_follows_the_html_until_somebody_writes_one() -> None:
    def publish(html: str, text: str = "") -> str:
        values = drafts.DraftValues(translations={"en": english(html=html, text=text)})
        drafts.edit_draft(template=template, values=values, by=TESTER, now=NOW)
        version = drafts.publish(template=template, by=TESTER, now=NOW)
        return str(compiled(version).render("email", "en", PEOPLE).parts["text"])

    template = create(translations={"en": english(html="<p>Hi {{ follower.name }}</p>")})
    version = drafts.publish(template=template, by=TESTER, now=NOW)
    assert compiled(version).render("email", "en", PEOPLE).parts["text"] == "Hi Anna"
    assert version.translations.get().parts["email"]["text"] == ""
    assert publish("<p>Bye</p>") == "Bye"
    copy = drafts.copy_template(template=template, key="copy", name="Copy", by=TESTER, now=NOW)
    template = copy
    assert publish("<p>Sale</p>") == "Sale"
    assert publish("<p>Changed</p>", "My own words") == "My own words"
    assert publish("<p>Changed again</p>", "My own words") == "My own words"
    assert publish("<p>Changed again</p>", " ") == "Changed again"


@pytest.mark.django_db
def test_a_broken_draft_is_not_published_and_says_where() -> None:
    template = create(translations={"en": english(html="<p>Hi</p>\n{{ nmae }}")})
    with pytest.raises(NotPublishable) as refusal:
        drafts.publish(template=template, by=TESTER, now=NOW)
    (problem,) = refusal.value.problems
    assert (problem.where, problem.line) == ("en.email.html", 2)
    assert drafts.published_version(template) is None


@pytest.mark.django_db
def test_what_is_published_already_stays_so_when_it_is_published_again() -> None:
    template = create()
    once = drafts.publish(template=template, by=TESTER, now=NOW)
    again = drafts.publish(template=template, by=TESTER, now=NOW)
    assert (again.pk, again.published_at) == (once.pk, NOW)


@pytest.mark.django_db
def test_the_layout_is_frozen_at_publishing() -> None:
    layout = save_layout(
        key="frame", name="Frame", html="<b>old</b>{{ content }}", by=TESTER, now=NOW
    )
    template = create(layout=layout)
    version = drafts.publish(template=template, by=TESTER, now=NOW)
    save_layout(key="frame", name="Frame", html="<b>new</b>{{ content }}", by=TESTER, now=NOW)
    version.refresh_from_db()
    assert "old" in compiled(version).render("email", "en", PEOPLE).parts["html"]
    draft = drafts.edit_draft(template=template, values=drafts.DraftValues(), by=TESTER, now=NOW)
    assert "new" in compiled(draft).render("email", "en", PEOPLE).parts["html"]


@pytest.mark.django_db
def test_restoring_brings_an_old_version_back_as_a_draft() -> None:
    template = create(variables=[{"name": "n", "type": "number"}])
    first = drafts.publish(template=template, by=TESTER, now=NOW)
    drafts.edit_draft(
        template=template,
        values=drafts.DraftValues(
            translations={"en": english("New"), "ru": english("Новое")}, variables=[]
        ),
        by=TESTER,
        now=NOW,
    )
    drafts.publish(template=template, by=TESTER, now=NOW)
    first.refresh_from_db()
    draft = drafts.restore(version=first, by=TESTER, now=NOW)
    assert (draft.number, draft.state, draft.note) == (
        3,
        VersionState.DRAFT,
        "Restored from version 1",
    )
    assert draft.variables == [{"name": "n", "type": "number"}]
    assert {t.language: t.parts["email"]["subject"] for t in draft.translations.all()} == {
        "en": "Hello"
    }


@pytest.mark.django_db
def test_discarding_a_draft_keeps_the_published_version_and_never_the_only_one() -> None:
    template = create()
    drafts.delete_draft(template=template, by=TESTER, now=NOW)
    assert drafts.draft_version(template) is not None
    drafts.publish(template=template, by=TESTER, now=NOW)
    drafts.edit_draft(
        template=template,
        values=drafts.DraftValues(translations={"en": english("New")}),
        by=TESTER,
        now=NOW,
    )
    drafts.delete_draft(template=template, by=TESTER, now=NOW)
    assert drafts.draft_version(template) is None


@pytest.mark.django_db
def test_a_copy_has_the_words_and_its_own_life() -> None:
    template = create(
        translations={"en": english("One")}, variables=[{"name": "n", "type": "string"}]
    )
    drafts.publish(template=template, by=TESTER, now=NOW)
    copy = drafts.copy_template(
        template=template, key="copy", name="Copy", private=True, by=TESTER, now=NOW
    )
    drafts.edit_draft(
        template=copy,
        values=drafts.DraftValues(translations={"en": english("Two")}),
        by=TESTER,
        now=NOW,
    )
    version = drafts.publish(template=copy, by=TESTER, now=NOW)
    assert (copy.private, version.variables) == (True, [{"name": "n", "type": "string"}])
    original = drafts.published_version(template)
    assert original is not None
    assert compiled(original).render("email", "en", PEOPLE).parts["subject"] == "One"


@pytest.mark.django_db
def test_a_version_remembers_the_person_who_made_it(editor: Any) -> None:
    by = Actor(ActorKind.STAFF, str(editor.uid), "Edgar")
    template = create(by=by)
    assert template.versions.get().created_by == editor


@pytest.mark.django_db
def test_an_archived_template_leaves_the_library_and_comes_back() -> None:
    template = create()
    drafts.archive(template=template, by=TESTER, now=NOW)
    template.refresh_from_db()
    assert template.archived_at == NOW
    drafts.unarchive(template=template, by=TESTER, now=NOW)
    template.refresh_from_db()
    assert template.archived_at is None


@pytest.mark.django_db
def test_a_layout_needs_a_place_for_the_body() -> None:
    with pytest.raises(NotPublishable, match="content"):
        save_layout(key="frame", name="Frame", html="<b>nothing</b>", by=TESTER, now=NOW)


@pytest.mark.django_db
def test_the_channels_of_a_publishing_that_was_rolled_back_are_forgotten() -> None:
    template = create()
    with (
        transaction.atomic()
    ):  # a campaign that starts publishes its words, and may be refused after that
        first = drafts.publish(template=template, by=TESTER, now=NOW)
        assert drafts.wordless(first, ["sms"])
        transaction.set_rollback(True)
    drafts.edit_draft(
        template=template,
        values=drafts.DraftValues(translations={"en": {**english(), "sms": {"body": "Hello"}}}),
        by=TESTER,
        now=NOW,
    )
    second = drafts.publish(template=template, by=TESTER, now=NOW + dt.timedelta(minutes=1))
    assert second.uid == first.uid
    assert drafts.wordless(second, ["sms"]) == ""
