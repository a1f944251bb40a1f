"""Templates in the dashboard: writing, publishing, looking at it, and what came before."""

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.content import drafts
from apps.content.models import Template, VersionState
from tests.dashboard.pages import as_role, page_of
from tests.make import TESTER, make_template


@pytest.fixture
def letter(db: None) -> Template:
    return make_template("letter")


def form_of(client: Client, template: Template) -> dict[str, Any]:
    """What a browser would send back if nothing were touched."""
    html = client.get(reverse("dashboard:template", args=[template.uid])).content.decode()
    form = html[html.index('id="editor"') : html.index('id="preview"')]
    form = re.sub(r"<template.*?</template>", "", form, flags=re.S)
    values: dict[str, Any] = {}
    for tag in re.findall(r"<input[^>]*>", form):
        name = re.search(r'name="([^"]*)"', tag)
        value = re.search(r'value="([^"]*)"', tag)
        if name and ('type="checkbox"' not in tag or " checked" in tag):
            if value:
                values[name[1]] = unescape(value[1])
            else:
                values[name[1]] = ""
    for name, text in re.findall(
        r'<textarea[^>]*name="([^"]*)"[^>]*>\n?(.*?)</textarea>', form, re.S
    ):
        values[name] = unescape(text)
    for name, options in re.findall(r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', form, re.S):
        chosen = re.search(r'<option value="([^"]*)" selected', options)
        if chosen:
            values[name] = chosen[1]
        else:
            values[name] = ""
    return values


def save(client: Client, template: Template, **changes: Any) -> Any:
    values = form_of(client, template) | changes
    return client.post(reverse("dashboard:template-save", args=[template.uid]), values, follow=True)


# ---------------------------------------------------------------- library
def test_the_library_shows_stock_and_own_and_hides_the_archive(
    client: Client, viewer: Any, letter: Template
) -> None:
    old = make_template("old-letter")
    drafts.archive(template=old, by=TESTER, now=timezone.now())
    make_template("of-a-campaign", private=True)
    page = page_of(as_role(client, viewer).get(reverse("dashboard:templates")))
    assert "Letter" in page.text
    assert "Old-Letter" not in page.text
    assert "Of-A-Campaign" not in page.text
    assert (
        "Old-Letter"
        in page_of(client.get(reverse("dashboard:templates"), {"show": "archived"})).text
    )


def test_the_library_can_be_searched_and_says_when_nothing_matches(
    client: Client, viewer: Any, letter: Template
) -> None:
    as_role(client, viewer)
    assert "Letter" in page_of(client.get(reverse("dashboard:templates"), {"q": "lett"})).text
    assert (
        "No such template"
        in page_of(client.get(reverse("dashboard:templates"), {"q": "zebra"})).text
    )


def test_the_library_needs_few_queries_however_many_templates(
    client: Client, editor: Any, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        make_template(f"letter-{number}")
    as_role(client, editor)
    with django_assert_max_num_queries(12):
        client.get(reverse("dashboard:templates"))


def test_an_editor_makes_a_template_and_a_viewer_may_not(
    client: Client, editor: Any, viewer: Any
) -> None:
    values = {"name": "Order shipped", "key": "", "description": "After packing"}
    assert (
        as_role(client, viewer).post(reverse("dashboard:template-new"), values).status_code == 403
    )
    assert not Template.objects.exists()
    as_role(client, editor).post(reverse("dashboard:template-new"), values)
    made = Template.objects.get()
    assert (made.key, made.name, made.description) == (
        "order-shipped",
        "Order shipped",
        "After packing",
    )


def test_a_copy_starts_with_the_words_of_the_other(
    client: Client, editor: Any, letter: Template
) -> None:
    values = {"name": "Another", "copy_of": str(letter.uid)}
    as_role(client, editor).post(reverse("dashboard:template-new"), values)
    copy = Template.objects.get(key="another")
    assert (
        copy.versions.get().translations.get().parts["email"]["subject"]
        == "Hello {{ follower.name }}"
    )


def test_a_key_that_is_taken_is_refused_with_a_clear_message(
    client: Client, editor: Any, letter: Template
) -> None:
    answer = as_role(client, editor).post(
        reverse("dashboard:template-new"), {"name": "Letter", "key": "letter"}
    )
    assert "There is already a template with the key letter" in page_of(answer).text


# ---------------------------------------------------------------- editor
def test_saving_makes_a_draft_and_leaves_the_published_version_alone(
    client: Client, editor: Any, letter: Template
) -> None:
    as_role(client, editor)
    answer = save(
        client, letter, **{"t-en-email-subject": "New words", "note": "Shorter", "then": "save"}
    )
    assert "The draft is saved" in page_of(answer).text
    draft = drafts.draft_version(letter)
    published = drafts.published_version(letter)
    assert draft
    assert published
    assert draft.translations.get().parts["email"]["subject"] == "New words"
    assert draft.note == "Shorter"
    assert published.translations.get().parts["email"]["subject"] == "Hello {{ follower.name }}"


def test_publishing_makes_the_draft_the_version_in_use(
    client: Client, editor: Any, letter: Template
) -> None:
    as_role(client, editor)
    save(client, letter, **{"t-en-email-subject": "New words", "then": "publish"})
    published = drafts.published_version(letter)
    assert published
    assert published.number == 2
    assert published.translations.get().parts["email"]["subject"] == "New words"


def test_an_unknown_variable_is_refused_at_its_field_with_its_line(
    client: Client, editor: Any, letter: Template
) -> None:
    as_role(client, editor)
    answer = save(
        client, letter, **{"t-en-email-html": "<p>Hi</p>\n<p>{{ oder_id }}</p>", "then": "publish"}
    )
    page = page_of(answer)
    assert "it can't be published until" in page.text
    assert "Line 2" in page.text
    assert "oder_id is not declared" in page.text
    published = drafts.published_version(letter)
    assert published
    assert published.number == 1
    draft = drafts.draft_version(letter)
    assert draft  # the words are kept
    assert "oder_id" in draft.translations.get().parts["email"]["html"]


def test_a_declared_variable_with_type_and_example_is_kept(
    client: Client, editor: Any, letter: Template
) -> None:
    as_role(client, editor)
    row = {"v-0-name": "order_id", "v-0-type": "number", "v-0-required": "on", "v-0-example": "17"}
    save(client, letter, **row, **{"t-en-email-subject": "Order {{ order_id }}", "then": "publish"})
    published = drafts.published_version(letter)
    assert published
    assert published.variables == [
        {"name": "order_id", "type": "number", "required": True, "example": 17}
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"v-0-name": "Order Id"}, "Use small letters"),
        ({"v-0-name": "", "v-0-example": "x"}, "has no name"),
        ({"v-0-name": "total", "v-0-type": "number", "v-0-example": "many"}, "Write a number"),
        ({"v-0-name": "items", "v-0-type": "list", "v-0-default": "a, b"}, "Write a JSON list"),
        ({"v-0-name": "items", "v-0-type": "list", "v-0-default": "[NaN]"}, "Write a JSON list"),
        ({"v-0-name": "items", "v-0-type": "list", "v-0-example": "[" * 5000}, "Write a JSON list"),
    ],
)
def test_a_wrong_variable_is_refused_beside_its_field_and_nothing_is_saved(
    client: Client, editor: Any, letter: Template, row: dict[str, str], message: str
) -> None:
    as_role(client, editor)
    assert message in page_of(save(client, letter, **row)).text
    assert drafts.draft_version(letter) is None


def test_a_language_is_added_with_the_default_words_and_removed_again(
    client: Client, editor: Any, letter: Template
) -> None:
    as_role(client, editor)
    save(client, letter, add_language="ru", then="add")
    draft = drafts.draft_version(letter)
    assert draft
    words = {row.language: row.parts["email"]["subject"] for row in draft.translations.all()}
    assert words == {"en": "Hello {{ follower.name }}", "ru": "Hello {{ follower.name }}"}
    save(client, letter, **{"t-ru-remove": "on"})
    assert [row.language for row in draft.translations.all()] == ["en"]


def test_the_default_language_can_not_be_removed(
    client: Client, editor: Any, letter: Template
) -> None:
    as_role(client, editor)
    save(client, letter, add_language="ru", then="add")
    answer = save(client, letter, **{"t-en-remove": "on"})
    assert "Choose another default first" in page_of(answer).text


def test_the_second_of_two_editors_is_told_and_shown_the_difference(
    client: Client, editor: Any, letter: Template
) -> None:
    as_role(client, editor)
    mine = form_of(client, letter)
    save(client, letter, **{"t-en-email-subject": "Words of the first"})
    mine["t-en-email-subject"] = "Words of the second"
    answer = client.post(reverse("dashboard:template-save", args=[letter.uid]), mine)
    page = page_of(answer)
    assert "Somebody else saved in between" in page.text
    assert "Words of the first" in page.text
    draft = drafts.draft_version(letter)
    assert draft
    assert draft.translations.get().parts["email"]["subject"] == "Words of the first"
    # with the difference in sight, saving again is a decision
    seen = re.search(r'name="seen" value="([^"]*)"', answer.content.decode())
    assert seen
    client.post(reverse("dashboard:template-save", args=[letter.uid]), mine | {"seen": seen[1]})
    assert draft.translations.get().parts["email"]["subject"] == "Words of the second"


def test_a_viewer_reads_the_words_but_can_not_save_them(
    client: Client, viewer: Any, letter: Template
) -> None:
    page = page_of(as_role(client, viewer).get(reverse("dashboard:template", args=[letter.uid])))
    assert "Hello {{ follower.name }}" in page.text
    assert page.forms == {reverse("dashboard:logout")}
    for name in ("save", "archive", "discard", "rename"):
        assert (
            client.post(reverse(f"dashboard:template-{name}", args=[letter.uid])).status_code == 403
        )


def test_the_editor_has_nothing_inline_that_the_policy_would_stop(
    client: Client, editor: Any, letter: Template
) -> None:
    assert (
        page_of(
            as_role(client, editor).get(reverse("dashboard:template", args=[letter.uid]))
        ).inline
        == []
    )


def test_a_template_is_archived_and_comes_back(
    client: Client, editor: Any, letter: Template
) -> None:
    as_role(client, editor).post(reverse("dashboard:template-archive", args=[letter.uid]))
    letter.refresh_from_db()
    assert letter.archived_at
    client.post(reverse("dashboard:template-unarchive", args=[letter.uid]))
    letter.refresh_from_db()
    assert letter.archived_at is None


def test_a_name_is_changed_and_an_empty_one_is_refused(
    client: Client, editor: Any, letter: Template
) -> None:
    as_role(client, editor)
    client.post(reverse("dashboard:template-rename", args=[letter.uid]), {"name": "Monthly letter"})
    letter.refresh_from_db()
    assert letter.name == "Monthly letter"
    client.post(reverse("dashboard:template-rename", args=[letter.uid]), {"name": ""})
    letter.refresh_from_db()
    assert letter.name == "Monthly letter"


# ---------------------------------------------------------------- history
def test_the_history_shows_what_was_taken_out_and_put_in(
    client: Client, editor: Any, letter: Template
) -> None:
    as_role(client, editor)
    save(client, letter, **{"t-en-email-subject": "New words", "then": "publish"})
    page = page_of(
        client.get(
            reverse("dashboard:template-history", args=[letter.uid]), {"old": "1", "new": "2"}
        )
    )
    assert "en: Email, Subject" in page.text
    assert "- Hello {{ follower.name }}" in page.text
    assert "+ New words" in page.text


def test_versions_that_are_not_there_compare_to_nothing(
    client: Client, viewer: Any, letter: Template
) -> None:
    as_role(client, viewer)
    answer = client.get(
        reverse("dashboard:template-history", args=[letter.uid]), {"old": "99", "new": "x"}
    )
    assert "Choose two versions" in page_of(answer).text


def test_an_older_version_comes_back_as_the_draft_and_a_viewer_can_not_do_it(
    client: Client, editor: Any, viewer: Any, letter: Template
) -> None:
    as_role(client, editor)
    save(client, letter, **{"t-en-email-subject": "New words", "then": "publish"})
    url = reverse("dashboard:template-restore", args=[letter.uid, 1])
    assert as_role(client, viewer).post(url).status_code == 403
    assert drafts.draft_version(letter) is None
    as_role(client, editor).post(url)
    draft = drafts.draft_version(letter)
    assert draft
    assert draft.translations.get().parts["email"]["subject"] == "Hello {{ follower.name }}"
    assert letter.versions.get(number=1).state == VersionState.SUPERSEDED


def test_a_template_without_any_words_can_still_be_opened_and_filled(
    client: Client, editor: Any
) -> None:
    empty = drafts.create_template(
        key="empty", name="Empty", translations={}, by=TESTER, now=timezone.now()
    )
    as_role(client, editor)
    save(client, empty, **{"t-en-in_app-title": "First words"})
    draft = drafts.draft_version(empty)
    assert draft
    assert draft.translations.get().parts == {
        "in_app": {"title": "First words", "body": "", "link": ""}
    }
