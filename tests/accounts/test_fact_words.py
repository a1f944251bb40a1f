"""What facts and what they carry are called on pages."""

import pytest

from apps.accounts.fact_words import (
    FIELD_WORDS,
    NOUN_WORDS,
    SENTENCE_WORDS,
    field_of,
    label_of,
    name_of,
    noun_of,
    sentence_of,
)
from apps.lib.facts import Kind

# The product's word is another one than the code's, which API clients know.
OTHERWISE = {
    "notification_type.changed": "message type changed",
    "notification_type": "message type",
    "delivery.settled": "delivery marked as sent",
    "sign_up_form.changed": "sign-up form changed",
    "sign_up.declined": "sign-up declined",
    "thanks_url": "page after sending",
}


def plain(code: str) -> str:
    """The words of a code, as nobody would write them by hand."""
    if code in OTHERWISE:
        return OTHERWISE[code]
    return code.replace(".", " ").replace("_", " ").lower()


def test_every_kind_of_fact_has_a_sentence_and_a_noun() -> None:
    assert set(SENTENCE_WORDS) == set(Kind)
    assert {kind.partition(".")[0] for kind in Kind} <= set(NOUN_WORDS)


@pytest.mark.parametrize("kind", Kind)
def test_a_sentence_says_what_its_code_says(kind: Kind) -> None:
    assert sentence_of(kind).lower() == plain(kind)


def test_the_name_of_a_value_is_its_code_in_words() -> None:
    for code in FIELD_WORDS:
        assert field_of(code) == plain(code).capitalize()


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (sentence_of("report.never_heard_of"), "Report never heard of"),
        (field_of("never_heard_of"), "Never heard of"),
        (noun_of("never_heard_of"), "never heard of"),
        (label_of("api_key"), "API key"),
        (label_of("follower"), "Follower"),
        (name_of("an unknown name"), "an unknown name"),
        (name_of("Anna Weber"), "Anna Weber"),
    ],
)
def test_what_has_no_words_of_its_own_is_shown_as_it_is(said: str, expected: str) -> None:
    assert said == expected
