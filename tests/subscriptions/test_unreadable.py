"""What a framework can't read is obeyed where the word is clear, and else answered with a page."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.followers.consent.matrix import own_words
from apps.followers.models import Channel, ConsentRecord, Follower, NotificationType
from apps.lib.network.utf8 import utf8_only
from apps.notifications.accounts import edit
from tests.make import TESTER, make_type
from tests.subscriptions.pages import (
    everything_stored,
    fresh_path,
    preferences_path,
    unsubscribe_path,
)

pytestmark = pytest.mark.reported

FORM = "application/x-www-form-urlencoded"
ONE_CLICK = b"List-Unsubscribe=One-Click"
BROKEN_MULTIPART = b'--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne'
MANY_FIELDS = b"&".join(b"a%d=1" % number for number in range(2001))
MANY_PARAMETERS = "?" + MANY_FIELDS.decode()
TOO_LARGE = b"a=" + b"x" * (5 * 1024 * 1024)

ODD = {
    "the charset of Apache HttpClient": (FORM + "; charset=ISO-8859-1", ONE_CLICK),
    "windows-1251": (FORM + "; charset=windows-1251", ONE_CLICK),
    "utf-16": (FORM + "; charset=utf-16", ONE_CLICK),
    "a charset nobody knows": (FORM + "; charset=klingon", ONE_CLICK),
    "a codec that is none of text": (FORM + "; charset=base64", ONE_CLICK),
    "an empty charset": (FORM + "; charset=", ONE_CLICK),
    "UTF-8 in quotes": (FORM + '; charset="utf-8"', ONE_CLICK),
    "multipart in another charset": ("multipart/form-data; boundary=x; charset=latin-1", b"--x--"),
    "multipart without a boundary": ("multipart/form-data", BROKEN_MULTIPART),
    "multipart that is cut": ("multipart/form-data; boundary=x", BROKEN_MULTIPART),
    "multipart with a wrong boundary": ("multipart/form-data; boundary=\u00e9", BROKEN_MULTIPART),
    "JSON": ("application/json", b'{"List-Unsubscribe": "One-Click"}'),
    "JSON that is none": ("application/json; charset=latin-1", b"{"),
    "plain text": ("text/plain", ONE_CLICK),
    "no content type": ("", ONE_CLICK),
    "no body": (FORM, b""),
    "another word": (FORM, b"List-Unsubscribe=one-click"),
    "NULs": (FORM, b"List-Unsubscribe=One-Click%00\0"),
    "bytes that are no text": (FORM, b"\xff\xfe=%ff"),
    "too many fields": (FORM, MANY_FIELDS),
    "more than a request may have": (FORM, TOO_LARGE),
}


@pytest.fixture
def news(db: None) -> NotificationType:
    return make_type("news")


@pytest.mark.parametrize(("kind", "body"), ODD.values(), ids=ODD)
@pytest.mark.parametrize("slash", ["/", ""], ids=["slash", "no slash"])
def test_one_click_is_obeyed_however_it_is_posted(
    client: Client, anna: Follower, news: NotificationType, kind: str, body: bytes, slash: str
) -> None:
    path = unsubscribe_path(anna, news).rstrip("/") + slash
    response = client.generic("POST", path, body, content_type=kind)
    assert response.status_code == 200
    assert response.content == b"Unsubscribed.\n"
    assert own_words(anna) == {("news", "email"): False}
    assert ConsentRecord.objects.filter(act="preferences_changed").get().source == "one_click"


def test_one_click_is_obeyed_with_a_thousand_parameters(
    client: Client, anna: Follower, news: NotificationType
) -> None:
    path = unsubscribe_path(anna, news) + MANY_PARAMETERS
    assert client.generic("POST", path, ONE_CLICK, content_type=FORM).status_code == 200
    assert own_words(anna) == {("news", "email"): False}


def test_a_reason_that_cannot_be_read_stops_nobody_who_leaves(
    client: Client, anna: Follower, news: NotificationType
) -> None:
    path = preferences_path(anna) + "unsubscribe/"
    response = client.generic("POST", path, MANY_FIELDS, content_type=FORM)
    assert response.status_code == 303
    anna.refresh_from_db()
    assert not anna.subscribed


FORMS = [
    "preferences",
    "undo",
    "pause",
    "phone",
    "phone-confirm",
    "browsers",
    "browser-remove",
    "link",
]
UNREADABLE = {
    "multipart without a boundary": ("multipart/form-data", BROKEN_MULTIPART),
    "too many fields": (FORM, MANY_FIELDS),
    "more than a request may have": (FORM, TOO_LARGE),
    "a file that is too large": (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\n'
        + TOO_LARGE
        + b"\r\n--x--\r\n",
    ),
}


def _address(name: str, follower: Follower) -> str:
    if name == "link":
        return reverse("subscriptions:link")
    token = fresh_path(follower).split("/")[3]
    return reverse(f"subscriptions:{name}", args=[token])


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize(("kind", "body"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_form_that_cannot_be_read_is_answered_with_a_page_and_loses_nothing(
    client: Client, anna: Follower, news: NotificationType, name: str, kind: str, body: bytes
) -> None:
    address = _address(name, anna)
    before = everything_stored()
    response = client.generic("POST", address, body, content_type=kind)
    assert response.status_code == 400
    assert "Nothing was changed, and what you said before still holds." in response.content.decode()
    assert everything_stored() == before


def post(client: Client, path: str, kind: str, body: bytes) -> Any:
    """As the web server hands a request over (notifications_project/wsgi.py)."""
    environ = {"CONTENT_TYPE": kind}
    utf8_only(lambda seen, start_response: [])(environ, None)
    return client.generic("POST", path, body, content_type=environ["CONTENT_TYPE"])


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("charset", ["ISO-8859-1", "base64", "klingon", "utf-16"])
def test_a_form_in_another_charset_is_read_as_utf_8(
    client: Client, anna: Follower, news: NotificationType, name: str, charset: str
) -> None:
    body = b"email=anna%40example.com&language=en&until=week&number=%2B4917012345678"
    response = post(client, _address(name, anna), f"{FORM}; charset={charset}", body)
    assert "could not be read" not in response.content.decode()
    expected = {"link": 200, "phone-confirm": 400, "browsers": 400}
    assert response.status_code == expected.get(name, 303)


@pytest.mark.parametrize(
    "parameter",
    [
        "x*=klingon''y",
        "charset*=utf-8''base64",
        "charset*0=base; charset*1=64",
        "x*=idna''y",
        "boundary*=idna''x",
        "x*1*=a''b",
        "charset=base64;",
        ";",
    ],
)
@pytest.mark.parametrize("kind", [FORM, "multipart/form-data; boundary=x", "text/plain"])
def test_one_click_is_obeyed_with_parameters_that_no_framework_reads(
    client: Client, anna: Follower, news: NotificationType, parameter: str, kind: str
) -> None:
    path = unsubscribe_path(anna, news) + "?a=%41"
    response = post(client, path, f"{kind}; {parameter}", ONE_CLICK)
    assert response.status_code == 200
    assert own_words(anna) == {("news", "email"): False}


@pytest.mark.parametrize("boundary", ["x", '"x"', "x; charset=base64", "x;a*=klingon''b"])
def test_a_form_in_parts_is_read_whatever_else_its_type_says(
    client: Client, anna: Follower, news: NotificationType, boundary: str
) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="until"\r\n\r\nweek\r\n--x--\r\n'
    kind = f"multipart/form-data; BOUNDARY={boundary}"
    assert post(client, _address("pause", anna), kind, body).status_code == 303


@pytest.mark.parametrize("charset", ["ISO-8859-1", "base64"])
def test_one_click_is_obeyed_whatever_the_address_and_the_charset(
    client: Client, anna: Follower, news: NotificationType, charset: str
) -> None:
    path = unsubscribe_path(anna, news) + MANY_PARAMETERS
    response = post(client, path, f"{FORM}; charset={charset}", ONE_CLICK)
    assert response.status_code == 200
    assert own_words(anna) == {("news", "email"): False}


@pytest.mark.parametrize("name", FORMS)
def test_nul_in_a_field_is_no_error_of_ours(
    client: Client, anna: Follower, news: NotificationType, name: str
) -> None:
    fields = "email language time_zone cell channel cell_was undo until day number code endpoint"
    body = "&".join(f"{field}=a%00b" for field in [*fields.split(), "device", "rhythm_was"])
    response = client.generic("POST", _address(name, anna), body, content_type=FORM)
    assert response.status_code < 500


@pytest.mark.parametrize("name", ["preferences", "unsubscribe", "link"])
def test_a_page_with_a_thousand_parameters_says_what_is_wrong(
    client: Client, anna: Follower, news: NotificationType, name: str
) -> None:
    response = client.get(_address(name, anna) + MANY_PARAMETERS)
    assert response.status_code in (200, 400)
    if name == "preferences":
        assert response.status_code == 400
        assert "This could not be read" in response.content.decode()


def test_a_provider_that_posts_too_much_hears_what_to_do(client: Client, db: None) -> None:
    settings = {"account_sid": "AC1", "auth_token": "secret", "sender": "+15005550006"}
    account = edit.create_account(
        name="Texts", provider_key="twilio", settings=settings, by=TESTER, now=timezone.now()
    )
    assert account.channel == Channel.SMS
    path = reverse("subscriptions:sms-answers", args=[account.uid])
    response = client.generic("POST", path, TOO_LARGE, content_type=FORM)
    assert response.status_code == 400
    assert response.content.decode().startswith("This body could not be read, and nothing was done")
    odd = client.generic("POST", path, MANY_FIELDS, content_type="multipart/form-data")
    assert odd.status_code == 403  # unsigned, and that is all that is wrong with it
