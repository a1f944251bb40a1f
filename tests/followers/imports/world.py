"""Files to import, and how to bring one in."""

import io
from typing import Any

from django.utils import timezone

from apps.followers.imports import run
from apps.followers.imports.upload import start_upload
from apps.followers.models import Import
from tests.make import TESTER


def upload(content: str, name: str = "people.csv") -> Import:
    return start_upload(
        file=io.BytesIO(content.encode()), file_name=name, by=TESTER, now=timezone.now()
    )


def run_import(content: str, mapping: dict[str, str] | None = None, **options: Any) -> Import:
    job = upload(content)
    run.start(
        job=job, mapping=mapping or job.mapping, options=options, by=TESTER, now=timezone.now()
    )
    run.run(job.pk)
    job.refresh_from_db()
    return job


def counts(job: Import) -> tuple[int, int, int, int]:
    return job.created, job.updated, job.unchanged, job.refused


def people(count: int, *, start: int = 0) -> str:
    return "email,name,city\n" + "".join(
        f"p{n}@example.com,Person {n},Berlin\n" for n in range(start, start + count)
    )


MIXED = """email,phone,name,id,language,zone,tags,subscribed,plan
anna@example.com,,Anna W.,,de,,vip;new,yes,pro
boris@example.com,,,,,,,yes,
new@example.com,+49 30 1234567,New  Person,crm-1,pt_br,Europe/Berlin,"a, b",,basic
off@example.com,,Off,,,,,no,
anna@example.com,,Anna again,,,,,,
not-an-address,,Bad,,,,,,
x@example.com,12345,Bad phone,,,,,,
y@example.com,,Bad zone,,,Mars/Olympus,,,
z@example.com,,Bad language,,english!,,,,
w@example.com,,Bad word,,,,,perhaps,
,,Nobody,,,,,,
short@example.com,,Short
gone@example.com,,Gone,,,,,,
chen2@example.com,+8613800138000,,,,,,,
"""
MAPPING = {
    "email": "email",
    "phone": "phone",
    "name": "name",
    "id": "external_id",
    "language": "language",
    "zone": "time_zone",
    "tags": "tags",
    "subscribed": "subscribed",
    "plan": "metadata.plan",
}
VALUES = {"subscribed": {"perhaps": "refuse"}}
