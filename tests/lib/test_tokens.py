"""Three tokens from one HMAC: each opens what it is for, any change closes it,
and it outlives a new secret key.
"""

import string

import pytest

from apps.lib.tokens import BadToken, Third, read_three, three

PAYLOAD = bytes(range(40))
ALPHABET = string.ascii_letters + string.digits + "-_"


def test_each_of_the_three_is_read_as_what_it_is_and_not_as_another() -> None:
    made = three("stamp", PAYLOAD)
    assert {len(token) for token in made} == {75}
    assert len({token[-20:] for token in made}) == 3
    for which, token in zip(Third, made, strict=True):
        assert read_three("stamp", token, which) == PAYLOAD
        for other in set(Third) - {which}:
            with pytest.raises(BadToken):
                read_three("stamp", token, other)
        with pytest.raises(BadToken):
            read_three("another purpose", token, which)


def test_every_changed_character_is_refused() -> None:
    token, *_ = three("stamp", PAYLOAD)
    for place in range(len(token)):
        for other in (
            ALPHABET[(ALPHABET.index(token[place]) + step) % 64] for step in (1, 2, 3, 32)
        ):
            with pytest.raises(BadToken):
                read_three("stamp", token[:place] + other + token[place + 1 :], Third.FIRST)


def test_a_token_has_one_spelling() -> None:
    token, *_ = three("stamp", b"\xff" * 40)
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
            read_three("stamp", spelling, Third.FIRST)


def test_a_token_of_an_old_key_is_good_while_the_key_is_among_the_fallbacks(settings) -> None:
    token, *_ = three("stamp", PAYLOAD)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = (
        "a new key",
        ["another", settings.SECRET_KEY],
    )
    assert read_three("stamp", token, Third.FIRST) == PAYLOAD
    assert three("stamp", PAYLOAD)[0] != token
    settings.SECRET_KEY_FALLBACKS = ["another"]
    with pytest.raises(BadToken):
        read_three("stamp", token, Third.FIRST)
