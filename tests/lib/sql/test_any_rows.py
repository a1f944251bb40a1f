"""Many questions of the kind "is there any?", in one statement."""

import datetime as dt
from typing import Any

from django.utils import timezone

from apps.accounts.models import User
from apps.lib.sql.any_rows import AnyRows
from tests.make import make_staff


def joined(username: str, *, at: dt.datetime) -> None:
    user = make_staff(username, role="viewer")
    user.date_joined = at
    user.save()


def test_each_question_is_answered_by_the_moment_it_is_asked_at(
    db: None, django_assert_num_queries: Any
) -> None:
    now = timezone.now()
    joined("ada", at=now)
    hour = dt.timedelta(hours=1)
    questions = AnyRows(
        {
            "joined": lambda now: User.objects.filter(date_joined__lte=now),
            "joined an hour ago": lambda now: User.objects.filter(date_joined__lte=now - hour),
            "is called Bob": lambda now: User.objects.filter(username="bob"),
            "nobody asks": lambda now: User.objects.all(),
        }
    )
    names = ("joined", "joined an hour ago", "is called Bob")
    with django_assert_num_queries(1):
        assert questions.among(names, now=now) == {"joined"}
    assert questions.among(names, now=now - hour) == set()
    assert questions.among(names, now=now + hour) == {"joined", "joined an hour ago"}


def test_a_function_of_the_moment_serves_real_moments_as_well(db: None) -> None:
    def late(now: dt.datetime) -> Any:
        return User.objects.filter(date_joined__lte=now + dt.timedelta(seconds=1))

    now = timezone.now()
    joined("ada", at=now)
    assert late(now).count() == 1
    assert late(now - dt.timedelta(seconds=2)).count() == 0
    assert AnyRows({"late": late}).among(["late"], now=now - dt.timedelta(seconds=2)) == set()


def test_without_a_question_nothing_is_asked(db: None, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert AnyRows({}).among(["unknown"], now=timezone.now()) == set()
