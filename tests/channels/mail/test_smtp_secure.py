"""TLS and logging in: whom the session talks to, and to whom it tells a password."""

import ssl
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509

from apps.channels.contract import Result
from apps.channels.mail.mime import as_bytes
from apps.channels.mail.smtp import Smtp
from apps.channels.messages import Mail
from tests.certificate import certificate
from tests.channels.basket import Basket, a_mail
from tests.patience import shortly
from tests.receiver import Receiver


@pytest.fixture
def receiver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """Its certificate is one that this machine trusts."""
    with Receiver() as receiver:
        receiver.tls = certificate(tmp_path, of=x509.IPAddress(ip_address(receiver.host)))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        yield receiver
        assert receiver.hasty == [], "a command came before it might"


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mails_go_out_encrypted(receiver: Receiver, security: str) -> None:
    receiver.extensions.append("AUTH PLAIN")
    receiver.tls_from_the_start = security == "tls"
    basket = Basket([a_mail("anna@example.com"), a_mail("boris@example.com", text="x" * 100_000)])
    with Smtp.open(
        receiver.settings(security=security, username="carillon", password="pässword")
    ) as session:
        session.work(basket)
    assert receiver.recipients == ["anna@example.com", "boris@example.com"], basket.outcomes
    assert receiver.logins == [("PLAIN", "carillon", "pässword")]
    assert (receiver.connections, receiver.heard.count("STARTTLS")) == (
        1,
        1 if security == "starttls" else 0,
    )


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_that_thinks_for_longer_than_one_wait_is_waited_for(
    receiver: Receiver, security: str
) -> None:
    receiver.tls_from_the_start = security == "tls"
    patience = shortly()
    receiver.slowness = 2 * patience
    with Smtp.open(receiver.settings(security=security, timeout=patience)) as session:
        assert session.send(a_mail("anna@example.com")).result is Result.ACCEPTED


def test_content_whose_last_record_left_is_known_to_have_left(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TLS seals 16 kB at a time: the content may be through when the envelope behind it fails."""
    edge = 16 * 1024

    def past_the_edge(mail: Mail) -> int:
        return (len(as_bytes(mail)) + len(b".\r\n")) % edge

    long_ones = (a_mail("anna@example.com", text="x" * size) for size in range(20_000, 40_000, 40))
    mail = next(
        mail for mail in long_ones if edge - 70 < past_the_edge(mail)
    )  # the edge is in the next envelope
    send = ssl.SSLSocket.send

    def breaks_in_the_envelope(self: ssl.SSLSocket, data: memoryview | bytes, *flags: int) -> int:
        if b"boris@example.com" in bytes(data):
            send(self, data[: len(data) // edge * edge], *flags)
            raise BrokenPipeError(32, "Broken pipe")
        return send(self, data, *flags)

    basket = Basket([mail, a_mail("boris@example.com")])
    with (
        Smtp.open(receiver.settings(security="starttls", timeout=shortly())) as session,
        monkeypatch.context() as patch,
    ):
        patch.setattr(ssl.SSLSocket, "send", breaks_in_the_envelope)
        session.work(basket)
    assert receiver.recipients == ["anna@example.com"]
    assert basket.outcomes["anna@example.com"].result in (Result.ACCEPTED, Result.IN_DOUBT)


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize("whose", ["nobody's", "another server's"])
def test_a_server_that_can_not_prove_its_name_hears_neither_mail_nor_password(
    receiver: Receiver, security: str, whose: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if whose == "nobody's":
        monkeypatch.delenv("SSL_CERT_FILE")
    else:
        receiver.tls = certificate(tmp_path, of=x509.DNSName("elsewhere.example.com"))
    receiver.extensions.append("AUTH PLAIN")
    receiver.tls_from_the_start = security == "tls"
    with Smtp.open(receiver.settings(security=security, username="u", password="p")) as session:
        outcome = session.send(a_mail())
    assert (outcome.result, outcome.charged) == (Result.ACCOUNT, False)
    assert "certificate" in outcome.detail.lower()
    assert receiver.logins == receiver.arrived == []


@pytest.mark.parametrize("answer", [None, "454 4.7.0 not just now", "not offered"])
def test_without_encryption_where_it_was_asked_for_nothing_is_said(
    receiver: Receiver, answer: str | None
) -> None:
    receiver.extensions.append("AUTH PLAIN")
    if answer == "not offered":
        receiver.tls = None
    else:
        receiver.answers["STARTTLS"] = answer
    with Smtp.open(receiver.settings(security="starttls", username="u", password="p")) as session:
        outcome = session.send(a_mail())
    if answer is None:
        assert outcome.result is Result.ACCEPTED
    else:
        assert outcome.result is Result.ACCOUNT
        assert ("does not offer STARTTLS" if answer == "not offered" else answer) in outcome.detail
        assert receiver.logins == receiver.arrived == []


def test_what_was_put_in_before_encryption_is_not_taken_for_an_answer(receiver: Receiver) -> None:
    """CVE-2011-0411 and its kin, from the client's side:
    somebody on the way adds answers behind the clear 220.
    """
    receiver.answers["STARTTLS"] = "220 Go ahead\r\n250-injected\r\n250 AUTH PLAIN\r\n235 welcome"
    with Smtp.open(receiver.settings(security="starttls", username="u", password="p")) as session:
        outcome = session.send(a_mail())
    assert "offers neither AUTH PLAIN nor AUTH LOGIN" in outcome.detail
    assert "AUTH" not in " ".join(receiver.heard)


@pytest.mark.parametrize(
    ("offered", "way"),
    [
        ("AUTH PLAIN LOGIN", "PLAIN"),
        ("AUTH LOGIN CRAM-MD5", "LOGIN"),
        ("auth cram-md5 plain", "PLAIN"),
        ("AUTH=LOGIN", "LOGIN"),
    ],
)
def test_the_session_logs_in_the_way_the_server_offers(
    receiver: Receiver, offered: str, way: str
) -> None:
    receiver.extensions.append(offered)
    with Smtp.open(receiver.settings(username="carillon", password="word")) as session:
        assert session.send(a_mail()).result is Result.ACCEPTED
    assert receiver.logins == [(way, "carillon", "word")]


@pytest.mark.parametrize("way", ["PLAIN", "LOGIN"])
def test_a_login_that_is_refused_stops_the_account_in_the_servers_words(
    receiver: Receiver, way: str
) -> None:
    receiver.extensions.append(f"AUTH {way}")
    receiver.answers["AUTH"] = "535 5.7.8 bad credentials"
    basket = Basket([a_mail("anna@example.com"), a_mail("boris@example.com")])
    with Smtp.open(receiver.settings(username="carillon", password="wrong")) as session:
        session.work(basket)
    assert basket.results == [(Result.ACCOUNT, False)]
    assert (
        "refused user name and password: 535 5.7.8 bad credentials"
        in basket.outcomes["anna@example.com"].detail
    )
    assert receiver.arrived == []


def test_a_server_without_a_way_to_log_in_is_the_accounts_fault(receiver: Receiver) -> None:
    receiver.extensions.append("AUTH CRAM-MD5 XOAUTH2")
    with Smtp.open(receiver.settings(username="carillon", password="word")) as session:
        outcome = session.send(a_mail())
    assert outcome.result is Result.ACCOUNT
    assert "offers neither AUTH PLAIN nor AUTH LOGIN" in outcome.detail
