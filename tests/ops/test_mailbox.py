"""The development mailbox: a real SMTP conversation in, safe pages out."""

import smtplib
import socket
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.ops.mailbox import store
from tests.ops.processes import program
from tests.patience import PATIENCE, until


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.VAR_DIR = tmp_path
    return tmp_path / "mailbox"


@pytest.fixture
def reader(client: Client, viewer: Any) -> Client:
    client.force_login(viewer)
    return client


def mail(
    subject: str = "Hello",
    *,
    to: str = "anna@example.com",
    html: str = "",
    text: str = "Hello Anna",
) -> bytes:
    message = EmailMessage()
    message["From"] = "Carillon <hello@carillon.example>"
    message["To"] = to
    message["Subject"] = subject
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    return message.as_bytes()


def put(folder: Path, content: bytes, to: str = "anna@example.com") -> store.Letter:
    return store.keep(
        folder, sender="b@carillon.example", recipients=[to], content=content, now=timezone.now()
    )


def addresses(letter: store.Letter) -> list[str]:
    pages = ["mailbox-message", "mailbox-html", "mailbox-source"]
    return [reverse("ops:mailbox"), *(reverse(f"ops:{page}", args=[letter.id]) for page in pages)]


# ------------------------------------------------------------------ SMTP
def test_a_mail_is_on_disk_before_the_sender_hears_250(
    transactional_db: None, tmp_path: Path
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with program(tmp_path, "mailbox", "--port", str(port)) as server:

        def answers() -> bool:
            with socket.socket() as attempt:
                return attempt.connect_ex(("127.0.0.1", port)) == 0

        until(answers, "the mailbox listens")
        with smtplib.SMTP("127.0.0.1", port) as smtp:
            smtp.ehlo()
            assert smtp.has_extn("smtputf8")
            assert smtp.has_extn("8bitmime")
            content = mail("Привет", to="борис@example.com", text="Здравствуйте")
            smtp.sendmail(
                "b@carillon.example", ["борис@example.com"], content, ["SMTPUTF8", "BODY=8BITMIME"]
            )
            (letter,) = store.letters(tmp_path / "mailbox")
        assert letter.recipients == ["борис@example.com"]
        assert letter.sender == "b@carillon.example"
        assert letter.subject == "Привет"
        found = store.letter(tmp_path / "mailbox", letter.id)
        assert found
        assert found[1].replace(b"\r\n", b"\n").strip() == content.strip()
        server.terminate()
        assert server.wait(PATIENCE) == 0


def test_only_the_newest_mails_are_kept(folder: Path) -> None:
    subjects = [f"Number {number}" for number in range(5)]
    for subject in subjects:
        put(folder, mail(subject))
    assert store.prune(folder, kept=3) == 2
    assert [letter.subject for letter in store.letters(folder)] == subjects[:1:-1]
    assert len(list(folder.iterdir())) == 6


# ------------------------------------------------------------------ pages
def test_the_list_shows_the_newest_first_and_finds_by_recipient_or_subject(
    reader: Client, folder: Path
) -> None:
    put(folder, mail("First news"), to="anna@example.com")
    put(folder, mail("Second news"), to="chen@example.com")
    page = reader.get(reverse("ops:mailbox")).content.decode()
    assert page.index("Second news") < page.index("First news")
    page = reader.get(reverse("ops:mailbox"), {"q": "ANNA@"}).content.decode()
    assert "First news" in page
    assert "Second news" not in page
    page = reader.get(reverse("ops:mailbox"), {"q": "second"}).content.decode()
    assert "First news" not in page
    assert "Second news" in page
    assert "No such mail" in reader.get(reverse("ops:mailbox"), {"q": "nobody"}).content.decode()


def test_a_long_list_has_pages(reader: Client, folder: Path) -> None:
    for number in range(52):
        put(folder, mail(f"News {number:02}"))
    page = reader.get(reverse("ops:mailbox"))
    assert len(page.context["letters"]) == 50
    older = reader.get(reverse("ops:mailbox"), {"before": page.context["older"]})
    assert [letter.subject for letter in older.context["letters"]] == ["News 01", "News 00"]


def test_a_mail_shows_html_in_a_closed_frame_and_its_text_headers_and_source(
    reader: Client, folder: Path
) -> None:
    letter = put(
        folder,
        mail("Big <news>", html="<html><head></head><body><p>Hello <b>Anna</b></p></body></html>"),
    )
    address = reverse("ops:mailbox-message", args=[letter.id])
    page = reader.get(address).content.decode()
    assert "Big &lt;news&gt;" in page
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page
    assert f'src="{reverse("ops:mailbox-html", args=[letter.id])}"' in page
    assert "Hello Anna" in reader.get(address, {"tab": "text"}).content.decode()
    assert (
        "Carillon &lt;hello@carillon.example&gt;"
        in reader.get(address, {"tab": "headers"}).content.decode()
    )
    assert "MIME-Version: 1.0" in reader.get(address, {"tab": "source"}).content.decode()
    saved = reader.get(reverse("ops:mailbox-source", args=[letter.id]))
    assert saved["Content-Type"] == "message/rfc822"
    assert "attachment" in saved["Content-Disposition"]


def test_a_mail_without_html_opens_on_its_text(reader: Client, folder: Path) -> None:
    letter = put(folder, mail(text="Only words, and https://example.com/page"))
    page = reader.get(reverse("ops:mailbox-message", args=[letter.id])).content.decode()
    assert "<iframe" not in page
    assert '<a href="https://example.com/page"' in page


def test_the_frame_runs_no_script_and_opens_links_in_a_new_tab(
    reader: Client, folder: Path
) -> None:
    letter = put(
        folder,
        mail(
            html="<!doctype html><html><head lang=en><title>x</title></head><body>Hi</body></html>"
        ),
    )
    page = reader.get(reverse("ops:mailbox-html", args=[letter.id]))
    assert '<head lang=en><base target="_blank"><title>' in page.content.decode()
    policy = page["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "frame-ancestors 'self'" in policy
    assert "sandbox allow-popups" in policy
    assert page["X-Frame-Options"] == "SAMEORIGIN"


@pytest.mark.parametrize("id", ["0" * 32, "..", "nothing"])
def test_a_mail_that_is_not_there_is_not_found(reader: Client, folder: Path, id: str) -> None:
    put(folder, mail())
    assert reader.get(f"/mailbox/{id}/").status_code == 404


def test_strangers_are_sent_to_the_log_in_page(client: Client, folder: Path, db: None) -> None:
    letter = put(folder, mail())
    for name, arguments in [
        ("mailbox", []),
        *((f"mailbox-{page}", [letter.id]) for page in ("message", "html", "source")),
    ]:
        answer = client.get(reverse(f"ops:{name}", args=arguments))
        assert answer.status_code == 302
        assert reverse("dashboard:login") in answer["Location"]


def test_there_is_no_mailbox_in_production(reader: Client, folder: Path, settings: Any) -> None:
    letter = put(folder, mail())
    settings.PRODUCTION = True
    for name, arguments in [
        ("mailbox", []),
        *((f"mailbox-{page}", [letter.id]) for page in ("message", "html", "source")),
    ]:
        assert reader.get(reverse(f"ops:{name}", args=arguments)).status_code == 404
