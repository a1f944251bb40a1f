"""One rule for every host name: IDNA 2008, whoever writes the name down."""

import ast
from pathlib import Path

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from apps.channels.mail.mime import envelope
from apps.followers.addresses import normalise
from apps.lib.network.host_name import BadHost, ascii_host, ascii_url
from apps.lib.network.outside_http import as_called
from notifications_project import env


@pytest.mark.reported
@pytest.mark.parametrize(
    ("name", "in_ascii"),
    [
        ("faß.example", "xn--fa-hia.example"),
        ("FASS.example", "fass.example"),
        ("FAẞ.EXAMPLE", "xn--fa-hia.example"),
        ("βόλος.example", "xn--nxasmm1c.example"),  # a final sigma
        ("ΒΌΛΟΣ.example", "xn--nxasmq6b.example"),  # capitals have none
        ("نامه\u200cای.example", "xn--mgba3gch31f060k.example"),
        ("क्\u200dष.example", "xn--11b2ezcw70k.example"),
        ("münchen.example", "xn--mnchen-3ya.example"),
        ("mu\u0308nchen.example", "xn--mnchen-3ya.example"),
        ("ex．ample。com｡", "ex.ample.com"),
        ("ＥＸＡＭＰＬＥ.com", "example.com"),
        ("XN--FA-HIA.Example.", "xn--fa-hia.example"),
        ("xn--i-7iq.ws", "xn--i-7iq.ws"),  # a heart, registered before 2008 counted
        ("_dmarc.my_host.example", "_dmarc.my_host.example"),
        ("_dmarc.faß.example", "_dmarc.xn--fa-hia.example"),
        ("my_faß.example", "xn--my_fa-pqa.example"),
        ("r3---sn-4g5e6nez.example", "r3---sn-4g5e6nez.example"),
        ("so\u00adft.example", "soft.example"),
        ("localhost", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("１２７.０.０.１", "127.0.0.1"),
        ("::1", "::1"),
    ],
)
def test_a_host_name_has_one_form_in_ascii(name: str, in_ascii: str) -> None:
    assert ascii_host(name) == in_ascii


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "has nothing before, after or between its dots"),
        ("a..example", "has nothing before, after or between its dots"),
        ("exa mple.com", "is no name of a host: "),
        ("example.com\r\nX", "is no name of a host: "),
        ("example.com/x", "is no name of a host: "),
        ("℀.example", "is no name of a host: "),  # a/c
        ("smtp.example.com:587", "is no name of a host: it holds a colon"),
        ("a\u200db.example", "is no name of a host: "),  # a joiner that joins nothing
        ("i❤.example", "is no name of a host: "),
        ("xn--ß.example", "is no name of a host: "),
        ("a" * 64 + ".example", "has a part of more than 63 letters"),
        ("ü" * 60 + ".example", "has a part of more than 63 letters"),
        ("a." * 127 + "example", "is longer than 253 letters"),
    ],
)
def test_what_no_host_can_be_called_is_refused(name: str, why: str) -> None:
    with pytest.raises(BadHost, match=f"^{why}"):
        ascii_host(name)


def test_the_host_of_a_web_address_is_in_ascii_and_the_rest_as_it_was() -> None:
    assert (
        ascii_url("https://FAß.example:8443/faß?a=ß&amp#ß")
        == "https://xn--fa-hia.example:8443/faß?a=ß&amp#ß"
    )
    for url in ("https://[::1]:80/?", "/path", "mailto:a@ß.example", "https://example.com/?#"):
        assert ascii_url(url) == url


@pytest.mark.reported
@pytest.mark.parametrize(
    "address", ["anna@faß.example", "anna@XN--FA-HIA.example", "anna@FAẞ．example"]
)
def test_the_key_of_an_address_says_where_its_mail_goes(address: str) -> None:
    value, key = normalise("email", address)
    assert key == envelope(value) == "anna@xn--fa-hia.example"


@pytest.mark.reported
def test_a_webhook_is_kept_under_the_host_that_is_called() -> None:
    assert as_called("https://faß.example/hook?a=b") == "https://xn--fa-hia.example/hook?a=b"


def test_no_other_module_turns_a_host_name_into_ascii() -> None:
    root = Path(settings.BASE_DIR)
    rule = root / "apps/lib/network/host_name.py"
    found = []
    for folder in ("apps", "notifications_project", "bench"):
        for path in sorted((root / folder).rglob("*.py")):
            if path != rule and _names_idna(path):
                found.append(str(path.relative_to(root)))
    assert found == []


def _names_idna(path: Path) -> bool:
    """Whether a module imports idna, or asks a codec for it."""
    for node in ast.walk(ast.parse(path.read_text())):
        said = {alias.name for alias in getattr(node, "names", []) if isinstance(alias, ast.alias)}
        said |= {getattr(node, "module", None), getattr(node, "value", None)}
        if said & {"idna", "punycode"}:
            return True
    return False


@pytest.mark.reported
def test_the_settings_name_hosts_in_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SITE_URL", "https://FAß.example:8443/")
    monkeypatch.setenv("ALLOWED_HOSTS", "faß.example, .faß.example, *, [::1]")
    monkeypatch.setenv("EMAIL_HOST", "smtp.faß.example")
    assert env.url("SITE_URL", "") == "https://xn--fa-hia.example:8443"
    hosts = ["xn--fa-hia.example", ".xn--fa-hia.example", "*", "[::1]"]
    assert env.hosts("ALLOWED_HOSTS", "") == hosts
    assert env.host("EMAIL_HOST", "") == "smtp.xn--fa-hia.example"
    monkeypatch.setenv("SITE_URL", "https://i❤.example")
    with pytest.raises(ImproperlyConfigured, match=r"^SITE_URL='https://i❤.example' is no name"):
        env.url("SITE_URL", "")
