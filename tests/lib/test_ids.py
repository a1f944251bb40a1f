"""Public ids: unique, of version 7, and in the order in which they were made."""

import datetime as dt
import time

from apps.lib.ids import uuid7


def test_ids_are_in_the_order_in_which_they_were_made() -> None:
    made = []
    for _ in range(300):
        made.append(uuid7())
        time.sleep(1e-6)  # one after another, many in the same millisecond
    assert made == sorted(made)
    assert len(set(made)) == 300


def test_an_id_says_its_version_and_its_time() -> None:
    before = time.time()
    made = uuid7()
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert before - 0.01 <= (made.int >> 80) / 1000 <= time.time() + 0.01
    assert dt.datetime.fromtimestamp((made.int >> 80) / 1000, dt.UTC).year >= 2026
