"""Sentences that are stored in English, in the reader's language."""

import pytest

from apps.lib import written
from apps.notifications.models import sentences


@pytest.fixture
def russian(monkeypatch):
    """A catalogue that has Russian for each sentence of ours."""
    monkeypatch.setattr(written, "gettext", lambda text: f"По-русски: {text}")


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        (
            "1,234 of 5,000 messages were refused, so Carillon has paused it. Look at the "
            "failed messages, then resume or cancel it.",
            "По-русски: 1,234 of 5,000 messages were refused, so Carillon has paused it. Look at "
            "the failed messages, then resume or cancel it.",
        ),
        (
            "5 errors of the account in a row",
            "По-русски: 5 errors of the account in a row",
        ),
        (
            "The sender died while preparing this message (1 of 3).",
            "По-русски: The sender died while preparing this message (1 of 3).",
        ),
    ],
)
def test_a_stored_sentence_is_told_in_the_readers_language(russian, stored, said):
    assert sentences.in_words(stored) == said


def test_what_a_provider_said_stays_as_it_was_said(russian):
    assert sentences.in_words("550 5.1.1 no {such} user") == "550 5.1.1 no {such} user"
    assert sentences.in_words("") == ""
