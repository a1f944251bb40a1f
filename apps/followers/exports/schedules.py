"""What staff decide about exports that begin by themselves."""

import datetime as dt
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext

from apps.followers.exports.due import next_time
from apps.followers.exports.formats import FORMATS, check
from apps.followers.exports.places import FolderPlace, StorePlace, Unstored
from apps.followers.exports.source import source_of
from apps.followers.models import ExportPlace, ExportSchedule
from apps.lib.actor import Actor
from apps.lib.crypto import Undecryptable, decrypt, encrypt
from apps.lib.facts import Kind, tell
from apps.lib.partial import changes
from apps.lib.refusals import Refused

_HOST = re.compile(r"[A-Za-z0-9_.:-]+")
_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_REGION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


class BadSchedule(Refused):
    """A schedule can't be so; `field` says which part of it."""


@dataclass(frozen=True, slots=True)
class Store:
    """A bucket of a store that speaks S3. An empty endpoint is Amazon's, an empty access key the
    machine's own role; a secret of None stays as it was.
    """

    bucket: str = ""
    region: str = ""
    endpoint: str = ""
    access_key: str = ""
    secret_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ScheduleValues:
    """All that staff say about a schedule."""

    name: str
    kind: str
    file_format: str
    every: str
    at: dt.time
    place: str
    folder: str
    asked: dict[str, Any] = field(default_factory=dict)
    store: Store = Store()
    active: bool = True


def create_schedule(*, values: ScheduleValues, by: Actor, now: dt.datetime) -> ExportSchedule:
    """Create a schedule. Raises BadSchedule, BadExport."""
    return _save(ExportSchedule(created_at=now), values=values, by=by, now=now)


def change_schedule(
    *, schedule: ExportSchedule, values: ScheduleValues, by: Actor, now: dt.datetime
) -> ExportSchedule:
    """Change a schedule, and give it as it is now. Raises BadSchedule, BadExport."""
    with transaction.atomic():
        row = ExportSchedule.objects.select_for_update().get(pk=schedule.pk)
        return _save(row, values=values, by=by, now=now)


def delete_schedule(*, schedule: ExportSchedule, by: Actor, now: dt.datetime) -> None:
    """Delete a schedule; files that it put somewhere stay there."""
    with transaction.atomic():
        tell(Kind.EXPORT_SCHEDULE_REMOVED, by=by, now=now, about=schedule, data=told(schedule))
        ExportSchedule.objects.filter(pk=schedule.pk).delete()


def store_of(schedule: ExportSchedule) -> Store:
    """Read where the store is, and what opens it. Raises Undecryptable."""
    return Store(**decrypt(schedule.settings))


def known_store(schedule: ExportSchedule) -> Store:
    """Read the store; an empty one where no key of FIELD_KEYS opens it any more, so that it can
    be typed anew, or the schedule removed.
    """
    try:
        return store_of(schedule)
    except Undecryptable:
        return Store()


def told(schedule: ExportSchedule) -> dict[str, Any]:
    """Give what the history shows of a schedule: no secret."""
    store = known_store(schedule)
    return {
        "name": schedule.name,
        "kind": schedule.kind,
        "filter": schedule.asked,
        "format": schedule.file_format,
        "every": schedule.every,
        "at": schedule.at.isoformat("minutes"),
        "place": schedule.place,
        "folder": schedule.folder,
        "bucket": store.bucket,
        "endpoint": store.endpoint,
        "access_key": store.access_key,
        "active": schedule.active,
    }


def _save(
    row: ExportSchedule, *, values: ScheduleValues, by: Actor, now: dt.datetime
) -> ExportSchedule:
    before: dict[str, Any] = {}
    if row.pk:
        before = told(row)
    store = _merged(known_store(row), values.store)
    _check(values, store)
    row.name = values.name.strip()
    row.kind = values.kind
    row.asked = values.asked
    row.file_format = values.file_format
    row.every = values.every
    row.at = values.at
    row.place = values.place
    row.folder = values.folder.strip("/")
    row.settings = ""
    if values.place == ExportPlace.S3:
        row.settings = encrypt({name: getattr(store, name) for name in Store.__dataclass_fields__})
    row.active = values.active
    row.next_at = None
    if row.active:
        zone = settings.TIME_ZONE
        row.next_at = next_time(every=row.every, at=row.at, zone=zone, after=now)
    after = told(row)
    try:
        with transaction.atomic():
            row.save()
            told_of = changes(before or dict.fromkeys(after), after)
            if told_of:
                tell(Kind.EXPORT_SCHEDULE_CHANGED, by=by, now=now, about=row, data=told_of)
    except IntegrityError:
        said = gettext("Another schedule has this name. Choose a different one.")
        raise BadSchedule(said, field="name") from None
    return row


def _merged(before: Store, said: Store) -> Store:
    """Keep the secret where none was typed, and nothing of the store has another owner now."""
    secret = said.secret_key
    if secret is None and said.access_key and said.endpoint == before.endpoint:
        secret = before.secret_key
    return Store(said.bucket, said.region, said.endpoint, said.access_key, secret)


def _check(values: ScheduleValues, store: Store) -> None:
    if not values.name.strip():
        raise BadSchedule(gettext("Give the schedule a name."), field="name")
    if values.file_format not in FORMATS:
        raise BadSchedule(gettext("Choose one of the formats."), field="file_format")
    check(values.file_format)
    source_of(values.kind).check(values.asked)
    folder = values.folder.strip("/")
    if not _FOLDER.fullmatch(folder):
        said = gettext("Write the folder with letters, digits, dots, dashes and slashes.")
        raise BadSchedule(said, field="folder")
    if values.place == ExportPlace.S3:
        _check_store(store)
    try:
        _place(values.place, folder, store)
    except Unstored as error:
        raise BadSchedule(str(error), field="place") from None


def _check_store(store: Store) -> None:
    if not _BUCKET.fullmatch(store.bucket):
        said = gettext("Write the bucket's name: small letters, digits, dots and dashes.")
        raise BadSchedule(said, field="bucket")
    if store.region and not _REGION.fullmatch(store.region):
        said = gettext("Write the region as the store names it, such as eu-central-1.")
        raise BadSchedule(said, field="region")
    if store.endpoint and not _is_address(store.endpoint):
        said = gettext("Write the address of the store as https://store.example.com.")
        raise BadSchedule(said, field="endpoint")
    if store.access_key and not store.secret_key:
        said = gettext("Type the secret that belongs to the access key.")
        raise BadSchedule(said, field="secret_key")


def _is_address(text: str) -> bool:
    """Whether a text is the address of a store: no user name or password is part of it, which
    the history would show.
    """
    try:
        parts = urlsplit(text)
        _ = parts.port  # ValueError where it is no number
    except ValueError:
        return False
    is_plain = "@" not in parts.netloc and not parts.query and not parts.fragment
    is_web = parts.scheme in ("https", "http") and parts.path in ("", "/")
    return is_web and is_plain and bool(_HOST.fullmatch(parts.hostname or ""))


def place_of(schedule: ExportSchedule) -> FolderPlace | StorePlace:
    """Open where the files of a schedule go. Raises Unstored, Undecryptable."""
    return _place(schedule.place, schedule.folder, store_of(schedule))


def _place(place: str, folder: str, store: Store) -> FolderPlace | StorePlace:
    if place == ExportPlace.FOLDER:
        return FolderPlace(folder)
    return StorePlace(
        folder,
        bucket=store.bucket,
        region=store.region,
        endpoint=store.endpoint,
        access_key=store.access_key,
        secret_key=store.secret_key or "",
    )
