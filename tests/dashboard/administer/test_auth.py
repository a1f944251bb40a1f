"""Coming in, going out, and being told why not."""

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import AuditEntry, Role
from tests.dashboard.pages import as_role, page_of

PASSWORD = "correct-horse-battery"


def test_a_stranger_is_sent_to_the_log_in_page_and_back_to_where_they_wanted_to_go(client, admin):
    asked = client.get("/account/")
    assert asked.status_code == 302
    assert asked["Location"] == "/login/?next=/account/"
    logged_in = client.post(
        asked["Location"], {"username": "ada", "password": PASSWORD, "next": "/account/"}
    )
    assert logged_in["Location"] == "/account/"
    assert client.get("/account/").status_code == 200


def test_who_pressed_a_button_after_the_session_was_over_comes_back_to_the_page_with_the_button(
    client, db
):
    page = "http://testserver/campaigns/?state=draft"
    pressed = client.post("/account/", {"name": "Ada"}, headers={"Referer": page})
    assert pressed["Location"] == "/login/?next=/campaigns/"
    for page in ("https://evil.example/x/", "https://[evil.example/x/"):
        foreign = client.post("/account/", {"name": "Ada"}, headers={"Referer": page})
        assert foreign["Location"] == "/login/?next=/"


def test_a_partial_request_of_a_stranger_loads_the_log_in_page_as_a_whole(client, db):
    answer = client.get("/", headers={"HX-Request": "true"})
    assert answer["HX-Redirect"] == "/login/"


def test_a_wrong_password_is_refused_in_words_and_seven_of_them_close_the_door(client, admin):
    for _ in range(6):
        answer = client.post("/login/", {"username": "ada", "password": "wrong"})
        assert answer.status_code == 200
        assert "Please enter a correct username and password" in answer.content.decode()
    locked = client.post("/login/", {"username": "ada", "password": "wrong"})
    assert locked.status_code == 429
    assert "Too many wrong passwords" in locked.content.decode()
    assert client.post("/login/", {"username": "ada", "password": PASSWORD}).status_code == 429


def test_a_deactivated_person_is_out_at_the_next_click(client, viewer):
    client.force_login(viewer)
    assert client.get("/").status_code == 200
    viewer.is_active = False
    viewer.save()
    assert client.get("/").status_code == 302


def test_logging_out_needs_a_post(client, viewer):
    client.force_login(viewer)
    assert client.get("/logout/").status_code == 405
    assert client.post("/logout/")["Location"] == "/login/"
    assert client.get("/").status_code == 302


def test_a_new_password_is_recorded_without_its_words_and_keeps_this_session(client, viewer):
    client.force_login(viewer)
    new = "another-horse-staple"
    wrong = client.post(
        reverse("dashboard:password-change"),
        {"old_password": "no", "new_password1": new, "new_password2": new},
    )
    assert "old password was entered incorrectly" in wrong.content.decode()
    right = client.post(
        reverse("dashboard:password-change"),
        {"old_password": PASSWORD, "new_password1": new, "new_password2": new},
    )
    assert right.status_code == 302
    assert client.get("/").status_code == 200
    assert Client().login(request=right.wsgi_request, username="vera", password=new)
    entry = AuditEntry.objects.get(kind="staff.changed")
    assert entry.data == {"password": "changed"}


def test_ones_own_account_keeps_a_zone_that_exists_and_refuses_another(client, viewer):
    client.force_login(viewer)
    fields = {"name": "Vera Novak", "email": "vera@staff.example"}
    refused = client.post("/account/", fields | {"time_zone": "Mars/Base"})
    assert "is not a time zone" in refused.content.decode()
    assert client.post("/account/", fields | {"time_zone": "Asia/Tokyo"}).status_code == 302
    viewer.refresh_from_db()
    assert (viewer.get_full_name(), viewer.time_zone) == ("Vera Novak", "Asia/Tokyo")


def test_a_role_that_may_not_gets_a_page_that_says_so(client, viewer):
    page = as_role(client, viewer).get("/staff/")
    assert page.status_code == 403
    assert "Your role (Viewer) does not include this" in page.content.decode()


def test_an_unknown_address_gets_a_page_that_says_so(client, viewer):
    page = as_role(client, viewer).get("/no/such/page/")
    assert page.status_code == 404
    assert "There is no such page" in page.content.decode()


@pytest.mark.parametrize("role", Role.values)
def test_pages_carry_a_strict_policy_and_nothing_inline(client, role, request):
    user = request.getfixturevalue(
        {"viewer": "viewer", "editor": "editor", "sender": "sender", "admin": "admin"}[role]
    )
    answer = as_role(client, user).get("/")
    assert "unsafe" not in answer["Content-Security-Policy"]
    page = page_of(answer)
    assert not page.inline, page.inline


def test_a_form_without_its_token_is_refused_in_words(viewer):
    client = Client(enforce_csrf_checks=True)
    client.force_login(viewer)
    refused = client.post("/account/", {"name": "Vera"})
    assert refused.status_code == 403
    assert "Nothing was changed" in refused.content.decode()


def test_pages_speak_the_language_that_somebody_chose_else_the_browsers(client, admin):
    client.force_login(admin)
    russian = {"Accept-Language": "ru"}
    assert 'lang="ru"' in client.get("/account/", headers=russian).content.decode()
    values = {"name": "Ada", "email": admin.email, "time_zone": "UTC", "language": "en"}
    assert client.post("/account/", values, headers=russian).status_code == 302
    answer = client.get("/account/", headers=russian)
    assert 'lang="en"' in answer.content.decode()
    assert answer["Content-Language"] == "en"
    assert "Accept-Language" in answer["Vary"]


def test_a_language_that_the_pages_do_not_speak_is_refused(client, admin):
    client.force_login(admin)
    values = {"name": "Ada", "email": admin.email, "time_zone": "UTC", "language": "tlh"}
    answer = client.post("/account/", values)
    assert "tlh is not one of the available choices" in answer.content.decode()
    admin.refresh_from_db()
    assert admin.language == ""


def test_being_told_that_a_role_is_too_low_happens_in_ones_language_too(client, viewer):
    viewer.language = "ru"
    viewer.save()
    client.force_login(viewer)
    answer = client.get("/staff/")
    assert answer.status_code == 403
    assert 'lang="ru"' in answer.content.decode()
