"""Statements end when nobody wants their answer, or when their time is over."""

import pytest
from django.db import connection

from apps.followers.models import Tag
from apps.lib.sql.cancellable import Background, Cancelled, TookTooLong, at_most
from tests.lib.sql.slow import never_ending
from tests.patience import PATIENCE


def setting(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting(%s)", [name])
        return str(cursor.fetchone()[0])


@pytest.mark.django_db
def test_a_statement_that_takes_too_long_is_ended_and_the_connection_goes_on() -> None:
    with pytest.raises(TookTooLong), at_most(0.05):
        never_ending()
    with at_most(PATIENCE):
        assert Tag.objects.count() == 0
    if connection.vendor == "postgresql":
        assert setting("statement_timeout") == "0"
        assert setting("work_mem") == "4MB"


@pytest.mark.django_db
def test_what_goes_wrong_inside_is_told_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError), at_most(PATIENCE):
        1 / 0  # noqa: B018


@pytest.mark.django_db(transaction=True)
def test_work_in_the_background_gives_what_it_made_or_raised() -> None:
    counted = Background(Tag.objects.count)
    counted.start()
    assert counted.wait(PATIENCE)
    assert counted.result() == 0
    failed = Background(lambda: [][1])
    failed.start()
    assert failed.wait(PATIENCE)
    with pytest.raises(IndexError):
        failed.result()


@pytest.mark.django_db(transaction=True)
def test_a_statement_in_the_background_is_ended() -> None:
    work = Background(never_ending)
    work.start()
    assert not work.wait(0.2)
    work.cancel()
    assert work.wait(PATIENCE)
    with pytest.raises(Cancelled):
        work.result()


@pytest.mark.django_db(transaction=True)
def test_work_that_was_cancelled_before_its_first_statement_asks_nothing() -> None:
    work = Background(never_ending)
    work.cancel()
    work.start()
    assert work.wait(PATIENCE)
    with pytest.raises(Cancelled):
        work.result()
