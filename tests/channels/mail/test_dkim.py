"""What we sign, an independent verifier accepts; what was altered on the way, it refuses."""

import base64

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from apps.channels.contract import BadSettings, Result
from apps.channels.mail.dkim import SIGNED, BadKey, Signer
from apps.channels.mail.mime import as_bytes
from apps.channels.mail.smtp import Smtp
from tests.channels.mail.test_smtp import a_mail
from tests.receiver import Receiver

LIST = {
    "List-Id": "<news.carillon.example>",
    "List-Unsubscribe": "<https://carillon.example/p/unsubscribe/abc/>",
    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
}


def pem(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


KEYS = {
    "rsa": pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)),
    "ed25519": pem(ed25519.Ed25519PrivateKey.generate()),
}


def accepted(message: bytes, signer: Signer) -> bool:
    def look_up(name: bytes, **_: object) -> bytes:
        assert name == b"bell._domainkey.carillon.example."
        return signer.public_record().encode()

    try:
        return bool(dkim.DKIM(message).verify(dnsfunc=look_up))
    except dkim.ValidationError:  # the body's hash differs
        return False


@pytest.fixture(params=KEYS)
def signer(request: pytest.FixtureRequest) -> Signer:
    return Signer(domain="carillon.example", selector="bell", key=KEYS[request.param])


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"subject": "Grüße " * 60, "to_name": "Борис Иванов"},
        {"text": "trailing   \n\ttabs\t\tand  blanks \n\n\n", "html": "<p>  a   b </p>\n\n\n"},
        {"text": "", "html": ""},
        {"to": "дмитрий@example.com"},
    ],
)
def test_the_verifier_accepts_every_kind_of_mail(signer: Signer, fields: dict[str, str]) -> None:
    assert accepted(signer.sign(as_bytes(a_mail(headers=LIST, **fields))), signer)


@pytest.mark.parametrize(
    "header", [b"From", b"To", b"Subject", b"Date", b"Message-ID", *[k.encode() for k in LIST]]
)
def test_altering_any_header_that_counts_breaks_the_signature(
    signer: Signer, header: bytes
) -> None:
    message = signer.sign(as_bytes(a_mail(headers=LIST)))
    assert accepted(message, signer)
    assert not accepted(
        message.replace(b"\r\n" + header + b": ", b"\r\n" + header + b": x", 1), signer
    )


def test_a_second_from_or_other_words_break_it(signer: Signer) -> None:
    message = signer.sign(as_bytes(a_mail(headers=LIST)))
    assert not accepted(
        message.replace(b"\r\nFrom:", b"\r\nFrom: Eve <eve@example.com>\r\nFrom:", 1), signer
    )
    assert not accepted(message.replace(b"Hello Anna", b"Hello Eve", 1), signer)


def test_the_signature_covers_what_mailbox_providers_ask_for(signer: Signer) -> None:
    head = signer.sign(as_bytes(a_mail(headers=LIST))).partition(b"\r\nMessage-ID")[0]
    named = head.partition(b"h=")[2].partition(b";")[0].split(b":")
    assert named.count(b"from") == 2
    assert {
        b"to",
        b"subject",
        b"list-id",
        b"list-unsubscribe",
        b"list-unsubscribe-post",
        b"content-type",
    } <= set(named)
    assert set(named) <= set(SIGNED)


def test_a_key_pasted_into_one_line_works() -> None:
    line = KEYS["rsa"].replace("\n", "")
    signer = Signer(domain="carillon.example", selector="bell", key=line)
    assert accepted(signer.sign(as_bytes(a_mail())), signer)


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("not a key", "not PEM"),
        (
            pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)),  # noqa: S505
            "1024 bits",
        ),
        (pem(ec.generate_private_key(ec.SECP256R1())), "neither RSA nor Ed25519"),
        (
            (
                f"-----BEGIN PRIVATE KEY-----{base64.b64encode(b'nonsense').decode()}-----END"
                " PRIVATE KEY-----"
            ),
            "can't be read",
        ),
    ],
)
def test_a_key_that_can_not_be_used_is_refused_with_the_reason(key: str, says: str) -> None:
    with pytest.raises(BadKey, match=says):
        Signer(domain="carillon.example", selector="bell", key=key)


@pytest.mark.parametrize("selector", ["bell\n.\nMAIL", "bell; d=other.example", "a..b", "бой"])
def test_a_selector_that_is_no_name_is_refused(selector: str) -> None:
    """It stands in a header, where nobody looks for line ends and dots any more."""
    with pytest.raises(BadKey, match="selector"):
        Signer(domain="carillon.example", selector=selector, key=KEYS["ed25519"])
    assert Signer(domain="carillon.example", selector="k1._s-2", key=KEYS["ed25519"])


def test_an_smtp_account_signs_what_it_sends(signer: Signer) -> None:
    with Receiver() as receiver:
        settings = receiver.settings(dkim_selector="bell", dkim_key=KEYS["ed25519"])
        with Smtp.open(settings) as session:
            assert session.send(a_mail(headers=LIST)).result is Result.ACCEPTED
    arrived = receiver.arrived[0].raw.encode()
    assert accepted(
        arrived, Signer(domain="carillon.example", selector="bell", key=KEYS["ed25519"])
    )


def test_half_a_dkim_setting_is_refused() -> None:
    with pytest.raises(BadSettings, match="both"):
        Smtp.open(
            {"host": "mail.example.com", "from_address": "a@example.com", "dkim_selector": "bell"}
        )
