"""What we write by hand, Python's own parser reads back exactly, whatever the names,
subjects and bodies.
"""

import base64
import re
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.channels.mail.mime import BadHeader, as_bytes
from apps.channels.messages import Mail, Sender
from apps.channels.pieces import Pieces, Static
from tests.channels.mail.test_smtp import a_mail

PRINTABLE = st.text(
    st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp"), blacklist_characters="\x85"),
    max_size=300,
)
BODIES = st.text(st.characters(blacklist_categories=("Cs",)), max_size=2000)
ODD = [
    "plain",
    "",
    "O'Brien, Anna",
    'quotes "in" it',
    "back\\slash",
    "comma, dot. (comment)",
    "@ <x@y.z>",
    "=?utf-8?q?no?=",
    "Борис Иванов",
    "🎉" * 40,
    "é" * 200,
    "מרים",
    "a" * 250,
    "ends with backslash\\",
    "semi;colon: x",
    "[list]",
]


def read(**fields: Any) -> Any:
    data = as_bytes(a_mail(**fields))
    lines = data.split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert not any(b"\n" in line or b"\r" in line for line in lines)
    return message_from_bytes(data, policy=default)


def same_words(read_back: str, written: str) -> bool:
    """Folding may change blanks, and Python 3.11 puts one between the encoded words of a long name
    (RFC 2047 6.2).
    """
    return "".join(read_back.split()) == "".join(written.split())


@pytest.mark.parametrize("name", ODD)
def test_odd_names_and_subjects_come_back_as_they_were(name: str) -> None:
    mail = read(to_name=name, subject=name, sender=Sender(name, "hello@carillon.example"))
    assert not mail.defects
    [to] = mail["To"].addresses
    assert to.addr_spec == "anna@example.com"
    assert (
        to.display_name == name
        if len(name) < 20 or name.isascii()
        else same_words(to.display_name, name)
    )
    assert mail["Subject"] == name
    [sender] = mail["From"].addresses
    assert sender.addr_spec == "hello@carillon.example"
    assert same_words(sender.display_name, name)


@given(name=PRINTABLE, subject=PRINTABLE)
def test_any_printable_name_and_subject_survive(name: str, subject: str) -> None:
    mail = read(to_name=name, subject=subject)
    [to] = mail["To"].addresses
    assert to.addr_spec == "anna@example.com"
    assert same_words(to.display_name, name)
    assert same_words(mail["Subject"], subject)


@given(text=BODIES, html=BODIES)
def test_any_body_survives(text: str, html: str) -> None:
    mail = read(text=text, html=html or "<p></p>")
    assert not mail.defects
    for kind, wanted in (("plain", text), ("html", html or "<p></p>")):
        got = mail.get_body((kind,)).get_content().replace("\r\n", "\n").rstrip("\n")
        assert got == wanted.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")


def test_bodies_stay_within_76_octets_a_line_whatever_the_words() -> None:
    data = as_bytes(
        a_mail(
            html="<p>" + "x" * 25_000 + "ж" * 9_000 + "</p>",
            text="  trailing   \n.\n.." + "é" * 5000,
        )
    )
    body = data.partition(b"\r\n\r\n")[2]
    assert max(map(len, body.split(b"\r\n"))) <= 76
    assert data.isascii()


def test_a_blank_at_a_lines_end_never_makes_it_too_long() -> None:
    """It is written as =20: where the line was full already, that made 78 octets."""
    for length in range(60, 160):
        for blank in (" ", "\t"):
            for words in (
                "x" * length + blank + "\nnext",
                "ж" * (length // 6) + "y" * (length % 6) + blank,
            ):
                body = as_bytes(
                    a_mail(text=words, html=Pieces(["<p>", words, Static(words), "</p>"]))
                )
                assert max(map(len, body.partition(b"\r\n\r\n")[2].split(b"\r\n"))) <= 76
                mail = message_from_bytes(body, policy=default)
                assert mail.get_body(("plain",)).get_content().replace("\r\n", "\n") == words + "\n"
                assert (
                    mail.get_body(("html",)).get_content().replace("\r\n", "\n")
                    == f"<p>{words * 2}</p>\n"
                )


def test_a_long_name_is_words_of_whole_characters_in_lines_of_76() -> None:
    data = as_bytes(a_mail(to_name="🎉" * 80, subject="Ж" + "x" * 300))
    head = data.partition(b"\r\n\r\n")[0]
    assert max(map(len, head.split(b"\r\n"))) <= 76
    for word in re.findall(rb"=\?utf-8\?b\?(.*?)\?=", head):
        assert base64.b64decode(word, validate=True).decode()


@pytest.mark.parametrize(
    "value", ["a\r\nBcc: eve@example.com", "a\nb", "a\rb", "a\x00b", "a\x0bb", "a\x85b", "a\u2028b"]
)
@pytest.mark.parametrize(
    "field", ["subject", "to_name", "to", "message_id", "from_name", "from_address", "header"]
)
def test_no_value_can_start_a_second_header(field: str, value: str) -> None:
    with pytest.raises(BadHeader):
        as_bytes(mail_with(field, value))


def mail_with(field: str, value: str) -> Mail:
    """A mail that has the value in this place."""
    match field:
        case "header":
            return a_mail(headers={"List-Id": value})
        case "from_name":
            return a_mail(sender=Sender(value, "hello@carillon.example"))
        case "from_address":
            return a_mail(sender=Sender("Carillon", value))
    return a_mail(**{field: value})


@pytest.mark.reported
@pytest.mark.parametrize(
    "name",
    [
        "John@Home",
        "News: weekly",
        "Smith, John",
        "ООО «Ромашка», отдел",
        'The "Bells"',
        "back\\slash",
        "two  blanks",
        "<x@example.com>",
        "=?utf-8?q?Eve?=",
        "a@example.com, b@example.com",
        "Группа: a@example.com;",
        "",
    ],
)
def test_a_mail_is_from_exactly_this_name_and_this_address(name: str) -> None:
    [sender] = read(sender=Sender(name, "n@faß.example"))["From"].addresses
    assert sender.addr_spec == "n@xn--fa-hia.example"
    assert sender.display_name == name


def test_a_name_of_many_quotes_does_not_make_a_line_too_long() -> None:
    [sender] = read(sender=Sender('"' * 600, "n@example.com"))["From"].addresses
    assert same_words(sender.display_name, '"' * 600)


def test_text_alone_is_one_part() -> None:
    mail = read(html="", text="Hello ж")
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content().strip() == "Hello ж"


@pytest.mark.parametrize(
    "to",
    [
        "a b@example.com",
        "a@b@example.com",
        "anna@exa mple.com",
        "anna",
        "<x>@example.com",
        "a,b@x.org",
    ],
)
def test_what_is_no_address_is_refused(to: str) -> None:
    with pytest.raises(BadHeader):
        as_bytes(a_mail(to=to))
