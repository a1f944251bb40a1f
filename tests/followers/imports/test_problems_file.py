"""The refused rows come back as a file that can be corrected."""

import csv
import io

import pytest
from django.utils import timezone, translation
from django.utils.translation import gettext

from apps.followers.imports import run
from apps.followers.imports.problems_file import problems_csv, problems_in_words
from apps.followers.models import Follower
from tests.followers.imports.world import run_import, upload
from tests.make import TESTER

pytestmark = pytest.mark.django_db


def test_the_error_file_has_lines_reasons_and_inert_cells() -> None:
    job = run_import("email,name,phone\nbad,=1+1,\nbad2,@SUM(A1),+49301234567\nbad3,'quoted,-5\n")
    text = "".join(problems_csv(job))
    assert text.startswith("\ufeff")
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))
    assert rows[0] == ["Line", "Problem", "email", "name", "phone"]
    assert [row[0] for row in rows[1:]] == ["2", "3", "4"]
    assert [row[3:] for row in rows[1:]] == [
        ["'=1+1", ""],
        ["'@SUM(A1)", "+49301234567"],
        ["'quoted", "-5"],
    ]


def test_a_corrected_error_file_can_be_uploaded_as_it_is() -> None:
    job = run_import("email,name\nbad,=Anna\n")
    job = upload("".join(problems_csv(job)).replace("bad,", "anna@example.com,"))
    assert job.mapping == {"Line": "ignore", "Problem": "ignore", "email": "email", "name": "name"}
    run.start(job=job, mapping=job.mapping, by=TESTER, now=timezone.now())
    run.run(job.pk)
    assert Follower.objects.get().name == "=Anna"


def test_problems_are_kept_in_english_and_shown_in_the_readers_language() -> None:
    with translation.override("ru"):  # whoever works in the same process
        job = run_import("email,phone\nbad,\nanna@example.com,12\nanna@example.com,\n")
    kept = [
        "'bad' is not an email address: An email address must have an @-sign.",
        "'12' is not a phone number: write it with + and the country code, "
        "for example +49 30 1234567.",
        "Line 3 of this file has the same email already.",
    ]
    assert [problem.message for problem in job.problems.all()] == kept
    assert [problem.message for problem in problems_in_words(job, 9)] == kept
    with translation.override("ru"):
        shown = [problem.message for problem in problems_in_words(job, 2)]
        bad = gettext("{address!r} is not an email address: {error}")
        number = gettext(
            "{number!r} is not a phone number: write it with + and the country code, "
            "for example +49 30 1234567."
        )
    why = "An email address must have an @-sign."
    assert shown == [bad.format(address="bad", error=why), number.format(number="12")]
