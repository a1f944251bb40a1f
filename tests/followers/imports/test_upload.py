"""An uploaded file is checked, kept, and its columns are guessed."""

from pathlib import Path
from typing import Any

import pytest

from apps.followers.imports.csv_file import BadFile
from apps.followers.models import Import
from tests.followers.imports.world import people, upload

pytestmark = pytest.mark.django_db


def test_an_upload_is_checked_kept_and_its_columns_are_guessed(settings: Any) -> None:
    job = upload(
        "E-Mail;ФИО;Телефон;Теги;Город\na@example.com;Анна;;;Берлин\n",
        name="C:\\Users\\me\\list.csv",
    )
    assert job.mapping == {
        "E-Mail": "email",
        "ФИО": "name",
        "Телефон": "phone",
        "Теги": "tags",
        "Город": "metadata.Город",
    }
    assert (job.file_name, job.rows_total, job.dialect["delimiter"]) == ("list.csv", 1, ";")
    assert (Path(settings.MEDIA_ROOT) / job.path).exists()
    assert "list" not in job.path


def test_a_refused_upload_leaves_neither_row_nor_file(settings: Any) -> None:
    with pytest.raises(BadFile, match="Line 2"):
        upload('email\n"a@example.com\n')
    assert not Import.objects.exists()
    assert not list((Path(settings.MEDIA_ROOT) / "imports").iterdir())


def test_a_file_above_the_limit_is_refused(settings: Any) -> None:
    settings.IMPORT_MAX_BYTES = 1000
    with pytest.raises(BadFile, match="Split it"):
        upload(people(100))
