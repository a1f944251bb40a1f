"""Staff make sign-up forms, put them into pages, and decide about whoever waits."""

from dataclasses import replace
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import AuditEntry
from apps.followers.models import ConsentWording, SignUp, SignUpForm
from apps.followers.sign_up import edit, questions
from apps.followers.sign_up.edit import BadForm, FormValues, change_form
from apps.followers.sign_up.questions import BadQuestion, Question
from tests.followers.fields.world import make_field
from tests.make import TESTER, make_staff, make_type
from tests.subscriptions.sign_up.world import TEXTS, asked, link_of, make_form

TYPED = {
    "key": "letters",
    "name": "Website",
    "types": "news",
    "title_en": "Letters",
    "consent_en": "Send me the letters.",
    "ask_first_name": "required",
    "own_1": "city",
    "own_1_ru": "Город",
    "tags": "website, readers",
    "colour": "#FFE000",
    "active": "on",
}


@pytest.fixture
def editor(client: Client, db: None) -> Client:
    client.force_login(make_staff("edgar", role="editor"))
    return client


def values(**fields: Any) -> FormValues:
    said: dict[str, Any] = {"name": "Letters", "texts": TEXTS, "types": [make_type("news")]}
    return FormValues(**(said | fields))


def test_an_editor_makes_a_form_and_finds_its_page_and_its_snippet(editor: Client) -> None:
    make_type("news", default_channels=[])
    answer = editor.post("/sign-up-forms/add/", TYPED)
    assert (answer.status_code, answer["Location"]) == (302, "/sign-up-forms/letters/")
    form = SignUpForm.objects.get()
    assert form.tags == ["website", "readers"]
    assert form.colour == "#ffe000"
    assert [each["key"] for each in form.questions] == ["first_name", "city"]
    page = editor.get("/sign-up-forms/letters/").content.decode()
    assert "/p/join/letters/" in page
    assert "data-carillon-sign-up" in page
    assert "letters" in editor.get("/sign-up-forms/").content.decode()


def test_what_a_form_shows_for_editing_saves_as_it_is(editor: Client) -> None:
    form = make_form()
    shown = editor.get("/sign-up-forms/letters/edit/").context["form"]
    typed = {
        name: "on" if value is True else value
        for name, value in shown.initial.items()
        if value not in (None, False)
    }
    editor.post("/sign-up-forms/letters/edit/", typed)
    before = form.updated_at
    form.refresh_from_db()
    assert form.updated_at == before  # nothing differed, so nothing was written
    assert ConsentWording.objects.count() == 1


def test_other_words_are_another_wording_and_other_colours_are_not(db: None) -> None:
    said = values()
    form = edit.create_form(key="letters", values=said, by=TESTER, now=timezone.now())
    other = {"en": {**TEXTS["en"], "consent": "Send me all you have."}}
    for change in ({"colour": "#112233"}, {"texts": other}):
        fields = {"types": list(form.types.all()), **change}
        change_form(form=form, values=replace(said, **fields), by=TESTER, now=timezone.now())
    assert [each.number for each in form.wordings.all()] == [2, 1]
    assert edit.wording_of(form).texts["en"]["consent"] == "Send me all you have."


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": " "}, "name"),
        ({"texts": {"en": {"title": "Letters"}}}, "texts"),
        ({"types": []}, "types"),
        ({"colour": "red"}, "colour"),
        ({"thanks_url": "javascript:alert(1)"}, "thanks_url"),
        ({"thanks_url": "/thanks"}, "thanks_url"),
    ],
)
def test_what_no_form_can_be_is_refused_beside_its_field(
    db: None, fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(BadForm) as refused:
        edit.create_form(key="x", values=values(**fields), by=TESTER, now=timezone.now())
    assert refused.value.field == field
    assert not SignUpForm.objects.exists()


@pytest.mark.parametrize("keys", [["email"], ["website"], ["a b"], ["city", "city"], ["Ä"]])
def test_a_question_has_a_key_of_its_own(keys: list[str]) -> None:
    with pytest.raises(BadQuestion):
        questions.check([Question(key) for key in keys])


def test_a_key_is_taken_once(editor: Client) -> None:
    make_form()
    make_type("news", default_channels=[])
    page = editor.post("/sign-up-forms/add/", TYPED)
    assert page.status_code == 200
    assert "already" in str(page.context["form"].errors["key"])


def test_a_sender_approves_and_declines_and_an_editor_may_not(client: Client, db: None) -> None:
    make_form(approval=True)
    ida, otto = (asked(Client(), email=f"{name}@example.com") for name in ("ida", "otto"))
    for row in (ida, otto):
        Client().post(link_of(row))
    client.force_login(make_staff("edgar", role="editor"))
    path = "/sign-up-forms/letters/decide/"
    assert client.post(path, {"do": "approve", "sign_up": ida.uid}).status_code == 403
    client.force_login(make_staff("selma", role="sender"))
    client.post(path, {"do": "approve", "sign_up": [ida.uid, "by hand"]})
    client.post(path, {"do": "decline", "sign_up": otto.uid})
    states = dict(SignUp.objects.values_list("email", "state"))
    assert states == {"ida@example.com": "joined", "otto@example.com": "declined"}
    kinds = set(AuditEntry.objects.values_list("kind", flat=True))
    assert {"follower.signed_up", "sign_up.declined", "sign_up_form.changed"} <= kinds


def test_a_viewer_sees_forms_and_changes_none(client: Client, db: None) -> None:
    make_form()
    client.force_login(make_staff("vera", role="viewer"))
    assert client.get("/sign-up-forms/letters/").status_code == 200
    for path in ("add/", "letters/edit/"):
        assert client.get(f"/sign-up-forms/{path}").status_code == 403


def test_a_custom_field_is_asked_by_its_label_and_written_into_the_snippet(
    editor: Client,
) -> None:
    make_type("news", default_channels=[])
    field = make_field(labels={"en": "Plan"})
    editor.post("/sign-up-forms/add/", TYPED | {f"ask_field-{field.pk}": "required"})
    form = SignUpForm.objects.get()
    assert form.questions[1] == {"key": "plan", "required": True, "labels": {}}
    snippet = editor.get("/sign-up-forms/letters/").context["snippet"]
    assert '<select name="plan" required>' in snippet
    assert '<option value="pro">Professional</option>' in snippet
    shown = editor.get("/sign-up-forms/letters/edit/").context["form"]
    assert shown[f"ask_field-{field.pk}"].value() == "required"
