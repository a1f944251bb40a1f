"""A text message costs as many segments as phone networks cut it into."""

import pytest
import smsutil
from hypothesis import given
from hypothesis import strategies as st

from apps.channels.sms.segments import GSM_7, GSM_BASIC, GSM_DOUBLE, UCS_2, Segments, segments


@pytest.mark.parametrize(
    ("text", "encoding", "count"),
    [
        ("a" * 160, GSM_7, 1),
        ("a" * 161, GSM_7, 2),
        ("a" * 306, GSM_7, 2),
        ("a" * 307, GSM_7, 3),
        ("€" * 80, GSM_7, 1),
        ("€" * 81, GSM_7, 2),
        ("a" * 159 + "€", GSM_7, 2),
        ("é" * 160, GSM_7, 1),
        ("ç" * 160, UCS_2, 3),
        ("Ç" * 160, GSM_7, 1),
        ("a" * 159 + "’", UCS_2, 3),
        ("😀" * 35, UCS_2, 1),
        ("😀" * 36, UCS_2, 2),
        ("я" * 70, UCS_2, 1),
        ("я" * 71, UCS_2, 2),
        ("no\u00a0break", UCS_2, 1),
        ("\x1b", UCS_2, 1),
        ("", GSM_7, 0),
    ],
)
def test_a_text_takes_as_many_segments_as_the_standard_says(
    text: str, encoding: str, count: int
) -> None:
    found = segments(text)
    assert (found.encoding, found.count) == (encoding, count)


def test_what_takes_two_units_is_not_divided_between_segments() -> None:
    assert segments("a" * 152 + "€" + "a" * 151) == Segments(GSM_7, 2, 305, 0, ())
    assert segments("a" * 152 + "€" + "a" * 152).count == 3, (
        "the € goes to the next one, which is one unit short then"
    )
    assert segments("я" * 66 + "😀" + "я" * 66).count == 3


def test_the_characters_that_make_it_dearer_are_named_once_each_in_their_order() -> None:
    assert segments("It’s “so” it’s").outside == ("’", "“", "”")
    assert segments("It's {so} €").outside == ()


def test_what_is_left_in_the_last_segment_is_told() -> None:
    assert segments("Hi €").left == 155
    assert segments("a" * 161).left == 145
    assert segments("Привет").left == 64


TEXTS = st.one_of(
    st.text(st.sampled_from(sorted(GSM_BASIC | GSM_DOUBLE)), min_size=1, max_size=500),
    st.text(st.sampled_from("ab€{ç’я😀"), min_size=1, max_size=250),
    st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\x1b"),
        min_size=1,
        max_size=200,
    ),
)


@given(TEXTS)
def test_another_counter_counts_the_same(text: str) -> None:
    theirs = smsutil.split(text)
    ours = segments(text)
    assert ours.count == len(theirs.parts)
    assert (ours.encoding == GSM_7) == (theirs.encoding == "gsm0338")
    assert ours.units == theirs.total_bytes // (1 if ours.encoding == GSM_7 else 2)
    assert bool(ours.outside) == (ours.encoding == UCS_2)
