"""Columns are guessed from their headings, and a mapping that can't work is refused."""

from typing import Any

import pytest
from django.utils import timezone

from apps.followers.imports import run
from apps.followers.imports.columns import BadMapping
from apps.followers.imports.preview import preview_of
from apps.followers.models import ImportState
from tests.followers.imports.world import people, upload
from tests.make import TESTER

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("headings", "targets"),
    [
        ("Имя,Фамилия,Почта", ["first_name", "last_name", "email"]),
        ("First Name,Last Name,Email address", ["first_name", "last_name", "email"]),
        ("Full name,First name,Surname,Mail", ["name", "first_name", "last_name", "email"]),
        (
            "Email,Mail,Mobile,Language,Time zone",
            ["email", "metadata.Mail", "phone", "language", "time_zone"],
        ),
        (
            "Внешний ID,Подписан,Язык,Часовой пояс,Метки",
            ["external_id", "subscribed", "language", "time_zone", "tags"],
        ),
        # an id that only another program knows, and one that is all there is
        ("id,Email,user_id", ["metadata.id", "email", "metadata.user_id"]),
        ("user_id,Plan", ["external_id", "metadata.Plan"]),
    ],
)
def test_headings_in_english_and_russian_suggest_their_targets(
    headings: str, targets: list[str]
) -> None:
    assert list(upload(f"{headings}\n{'x,' * headings.count(',')}x\n").mapping.values()) == targets


@pytest.mark.parametrize(
    ("mapping", "options", "says"),
    [
        ({"email": "email", "mail": "name"}, {}, "no column 'mail'"),
        ({"email": "letterbox"}, {}, "nothing a column can be"),
        ({"email": "metadata."}, {}, "nothing a column can be"),
        ({"name": "name"}, {}, "Map a column to email, phone or external_id"),
        ({"email": "email", "name": "email"}, {}, "both mapped to 'email'"),
        ({"email": "email", "name": ""}, {}, "'name' may say who opted out"),
        ({"email": "email"}, {"tag": "x"}, "not an option"),
        ({"email": "email"}, {"tags": ["x" * 81]}, "81 characters"),
        ({"email": "email"}, {"country": "Germany"}, "Use a code such as DE"),
    ],
)
def test_a_mapping_that_cannot_work_is_refused_and_the_file_waits(
    mapping: dict[str, str], options: dict[str, Any], says: str
) -> None:
    job = upload(people(1))
    with pytest.raises(BadMapping, match=says):
        preview_of(job, mapping, options=options)
    with pytest.raises(BadMapping, match=says):
        run.start(job=job, mapping=mapping, options=options, by=TESTER, now=timezone.now())
    job.refresh_from_db()
    assert job.state == ImportState.UPLOADED
