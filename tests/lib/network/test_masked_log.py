"""No log line holds the token of a link, whoever writes it."""

import io
import logging
from collections.abc import Iterator
from urllib.parse import quote
from uuid import uuid4

import pytest
from django.test import Client, override_settings
from django.urls import reverse

from apps.followers.models import Follower
from apps.lib import tokens
from apps.lib.network.masked_log import mask
from tests.subscriptions.pages import fresh_path, preferences_path, unsubscribe_path

pytestmark = pytest.mark.reported


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What the handlers of the settings write, at the level of a real site."""
    level = logging.getLogger("django").level
    logging.getLogger("django").setLevel(logging.WARNING)
    text = io.StringIO()
    for handler in _handlers():
        monkeypatch.setattr(handler, "stream", text)
    yield text
    logging.getLogger("django").setLevel(level)


def _handlers() -> list[logging.StreamHandler[io.StringIO]]:
    """Every handler that a line can reach but pytest's own."""
    names = [None, "django", "django.request", "django.server", "granian.access", "carillon"]
    found = [each for name in names for each in logging.getLogger(name).handlers]
    ours = [each for each in found if type(each) is logging.StreamHandler]
    assert ours
    return ours


def test_a_mistyped_number_a_wrong_method_and_a_fault_log_no_token(
    client: Client, anna: Follower, written: io.StringIO
) -> None:
    paths = [preferences_path(anna), fresh_path(anna), unsubscribe_path(anna, None)]
    held = [path.split("/")[3] for path in paths]
    client.raise_request_exception = False
    client.post(paths[1] + "phone/", {"number": "12"})
    client.post(paths[1] + "phone/", b"x", content_type="multipart/form-data")
    for path in paths:
        client.put(path)
        client.get(path.rstrip("/") + "x")
        client.get(path + "nowhere")
    client.get(f"/c/{held[0]}/1")
    for name in ("django.request", "granian.access", "django.server"):
        log = logging.getLogger(name)
        log.warning('"GET %(path)s 1.1" %(status)d', {"path": paths[0], "status": 200})
        try:
            raise ValueError(f"http://x{paths[0]}?undo={held[0]}&done=saved")
        except ValueError:
            log.exception("Internal Server Error: %s", paths[0])
    said = written.getvalue()
    assert "Method Not Allowed" in said
    assert "/p/preferences/[token]/phone/" in said
    assert "Traceback" in said
    for token in held:
        assert token not in said
        assert token[:40] not in said


def test_errors_are_mailed_to_nobody() -> None:
    with override_settings(ADMINS=[("Ops", "ops@example.com")]):
        kinds = {type(each).__name__ for each in logging.getLogger("django").handlers}
    assert "AdminEmailHandler" not in kinds


@pytest.mark.parametrize(
    ("line", "masked"),
    [
        ("GET /p/preferences/AbC-_1:x/phone/ 400", "GET /p/preferences/[token]/phone/ 400"),
        ("/c/AbC/12?x=1", "/c/[token]/12?x=1"),
        ("'/o/AbC.gif'", "'/o/[token]'"),
        ("/p/preferences/A/?done=x&undo=B:c", "/p/preferences/[token]/?done=x&undo=[token]"),
        ("/p/link/ /api/v1/campaigns/1", "/p/link/ /api/v1/campaigns/1"),
        ("nothing", "nothing"),
    ],
)  # fmt: skip
def test_a_token_is_masked_and_nothing_else(line: str, masked: str) -> None:
    assert mask(line) == masked


@pytest.mark.parametrize(
    "line",
    [
        "Not Found: /p//preferences/TOKEN/",
        "Not Found: /P/Preferences/TOKEN",
        "GET /%70/preferences/TOKEN/ 404",
        "GET /p%2Fpreferences%2FTOKEN 404",
        "GET /login/?next=%2Fp%2Fpreferences%2FTOKEN 200",
        "Not Found: /p/TOKEN",
        "Not Found: /TOKEN",
        "{'undo': 'TOKEN'}",
    ],
)
def test_a_token_in_a_mistyped_address_is_masked(line: str, anna: Follower) -> None:
    signed = tokens.make("preferences", {"f": str(anna.uid), "t": "news"})
    for token in (preferences_path(anna).split("/")[3], signed, quote(signed)):
        written = mask(line.replace("TOKEN", token))
        assert token not in written
        assert token[-30:] not in written


def test_a_key_in_an_address_is_masked() -> None:
    key = "car_live_abcdefgh_" + "0a" * 32
    assert mask(f"GET /api/v1/followers?key={key} 401") == "GET /api/v1/followers?key=[token] 401"


def test_ids_digests_and_paths_stay_readable() -> None:
    line = f"notification {uuid4()} {'ab' * 32} /srv/site/apps/notifications/sending/outcomes.py"
    assert mask(line) == line


def test_addresses_of_pages_are_of_the_shape_that_is_masked(anna: Follower) -> None:
    token = preferences_path(anna).split("/")[3]
    for name in ("preferences", "unsubscribe", "phone", "browsers", "fresh-link"):
        assert token not in mask(reverse(f"subscriptions:{name}", args=[token]))
