"""The file .env is read as people write it, and weak keys don't start a site."""

import os
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from notifications_project import env

pytestmark = pytest.mark.reported
GUIDE = Path(settings.BASE_DIR) / "docs" / "operate.md"
BLOCK = re.compile(r"^```\n(CARILLON_MODE=production\n.*?)```", re.MULTILINE | re.DOTALL)
KEY = "Zk3vLx8QeT1oNwYb5RjHs7PdCm2UgAf9" * 2


@pytest.fixture
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        monkeypatch.delenv(name)


@pytest.fixture
def read(tmp_path: Path, nothing_set: None):
    def read(text: str | bytes) -> dict[str, str]:
        path = tmp_path / ".env"
        if isinstance(text, str):
            text = text.encode()
        path.write_bytes(text)
        env.load_file(path)
        return dict(os.environ)

    return read


def test_the_block_of_the_operators_guide_works_as_it_is_pasted(read) -> None:
    (block,) = re.findall(
        r"^```\n(CARILLON_MODE=production\n.*?)```", GUIDE.read_text(), re.M | re.S
    )
    said = read(block.replace("SECRET_KEY=…", f"SECRET_KEY={KEY}").replace("=…", f"={KEY[::-1]}"))
    assert said["SECRET_KEY"] == KEY
    assert env.secret_key(production=True) == KEY
    assert env.field_keys(production=True) == [KEY[::-1]]
    assert said["DEFAULT_FROM_EMAIL"] == "news@example.com"
    assert not [name for name, value in said.items() if "#" in value or value != value.strip()]


def test_the_block_with_its_placeholders_is_refused(read) -> None:
    (block,) = re.findall(
        r"^```\n(CARILLON_MODE=production\n.*?)```", GUIDE.read_text(), re.M | re.S
    )
    read(block)
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY is too weak"):
        env.secret_key(production=True)
    with pytest.raises(ImproperlyConfigured, match="first of FIELD_KEYS is too short"):
        env.field_keys(production=True)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("X=1", "1"),
        ("export X=1", "1"),
        ("export\tX=1", "1"),
        ("  X = 1  ", "1"),
        ("X=1   # a comment", "1"),
        ("X=1\t# a comment", "1"),
        ("X=a#b", "a#b"),
        ("X=#1", "#1"),
        ("X=   # nothing yet", ""),
        ("X=", ""),
        ('X="Acme"', "Acme"),
        ("X='Acme & Sons'  # the name", "Acme & Sons"),
        ('X="a # b"', "a # b"),
        ('X="say \\"hi\\""', 'say "hi"'),
        ("X='it''s'", None),
        ("X=a b c", "a b c"),
        ("X=News <n@example.com>", "News <n@example.com>"),
        ("X=pa$$w0rd${HOME}", "pa$$w0rd${HOME}"),
        ("X=postgres://u:p@h/d?a=b", "postgres://u:p@h/d?a=b"),
        ("X=Ёлка", "Ёлка"),
        ("\ufeffX=1", "1"),
        ("# X=2\r\nX=1\r\n", "1"),
        ("X", None),
        ("export X", None),
        ('X="open', None),
        ("not a setting", None),
    ],
)
def test_a_line_means_what_a_shell_would_read(read, line: str, value: str | None) -> None:
    if value is None:
        with pytest.raises(ImproperlyConfigured, match="line 1: write NAME=value"):
            read(line)
    else:
        assert read(line)["X"] == value


def test_the_environment_wins_and_no_line_is_repeated_in_a_refusal(
    read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("X", "outside")
    assert read("X=inside")["X"] == "outside"
    with pytest.raises(ImproperlyConfigured) as refused:
        read("A=1\nSECRET_KEY my-secret\n")
    assert "line 2" in str(refused.value)
    assert "my-secret" not in str(refused.value)


def test_a_file_in_another_encoding_is_refused_in_a_sentence(read) -> None:
    with pytest.raises(ImproperlyConfigured, match="can't be read"):
        read("X=Ёлка".encode("cp1251"))


@pytest.mark.parametrize("key", ["", "short", "a" * 64, "only-for-development-" * 3, "x1" * 40])
def test_production_refuses_a_weak_secret_key(
    nothing_set: None, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("SECRET_KEY", key)
    with pytest.raises(ImproperlyConfigured) as refused:
        env.secret_key(production=True)
    assert str(refused.value) == (
        "SECRET_KEY is too weak: it signs links and log-ins, and needs 50 random characters. "
        'Make one: python3 -c "import secrets; print(secrets.token_urlsafe(48))"'
    )


def test_an_old_short_field_key_stays_behind_a_long_one(
    nothing_set: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIELD_KEYS", f"{KEY},old")
    assert env.field_keys(production=True) == [KEY, "old"]
