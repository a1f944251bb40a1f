"""Two tokens from one HMAC: each opens what it is for, any change closes it,
and it outlives a new secret key.
"""

import string

import pytest

from apps.lib.tokens import BadToken, pair, read_pair

PAYLOAD = bytes(range(40))
ALPHABET = string.ascii_letters + string.digits + "-_"


def test_each_of_the_pair_is_read_as_what_it_is_and_not_as_the_other() -> None:
    first, second = pair("stamp", PAYLOAD)
    assert len(first) == len(second) == 75
    assert (
        read_pair("stamp", first, second=False)
        == read_pair("stamp", second, second=True)
        == PAYLOAD
    )
    for token, other in ((first, True), (second, False)):
        with pytest.raises(BadToken):
            read_pair("stamp", token, second=other)
    with pytest.raises(BadToken):
        read_pair("another purpose", first, second=False)


def test_every_changed_character_is_refused() -> None:
    token, _ = pair("stamp", PAYLOAD)
    for place in range(len(token)):
        for other in (
            ALPHABET[(ALPHABET.index(token[place]) + step) % 64] for step in (1, 2, 3, 32)
        ):
            with pytest.raises(BadToken):
                read_pair("stamp", token[:place] + other + token[place + 1 :], second=False)


def test_a_token_has_one_spelling() -> None:
    token, _ = pair("stamp", b"\xff" * 40)
    spellings = [
        token + "=",
        token[:10] + "\n" + token[10:],
        token[:10] + "%" + token[10:],
        f" {token}",
    ]
    spellings += [
        token.replace("_", "/"),
        token[:-1],
        token + "A",
        token[:40],
        "",
        "A",
        "ä" * 75,
        "\0" * 75,
    ]
    spellings += [
        token[:-1] + other for other in ALPHABET if other != token[-1]
    ]  # two bits of the last mean nothing
    for spelling in spellings:
        with pytest.raises(BadToken):
            read_pair("stamp", spelling, second=False)


def test_a_token_of_an_old_key_is_good_while_the_key_is_among_the_fallbacks(settings) -> None:
    token, _ = pair("stamp", PAYLOAD)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = (
        "a new key",
        ["another", settings.SECRET_KEY],
    )
    assert read_pair("stamp", token, second=False) == PAYLOAD
    assert pair("stamp", PAYLOAD)[0] != token
    settings.SECRET_KEY_FALLBACKS = ["another"]
    with pytest.raises(BadToken):
        read_pair("stamp", token, second=False)
