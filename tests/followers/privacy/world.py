"""A person with a word of their own in every field, and all places where such a word may lie."""

import datetime as dt
import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connection
from django.utils import timezone

from apps.campaigns.events.store import NewEvent, record
from apps.campaigns.models import Segment
from apps.followers.consent import acts
from apps.followers.consent.record import Proof
from apps.followers.consent.suppression import suppress
from apps.followers.devices.push_devices import AppDevice, register_app
from apps.followers.exports import write
from apps.followers.exports.start import start_export
from apps.followers.imports.upload import start_upload
from apps.followers.models import Follower
from apps.followers.people import contacts, further_addresses
from apps.followers.people.profile import Profile
from apps.followers.privacy import remove
from apps.followers.privacy.copies import ask_for_copy, fetch_copy
from apps.followers.privacy.erase import erase
from apps.lib.actor import Actor, ActorKind
from apps.lib.crypto import decrypt
from tests.followers.imports.world import run_import
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import drain, make_version, tell
from tests.receiver import Receiver

CANARY = "qxzcanary"
EMAIL = f"{CANARY}.mail@example.com"
SECOND = f"{CANARY}.second@example.com"
PHONE = "+491511234599"
_WORDS = re.compile(rf"{CANARY}[\w.@-]*|{PHONE.removeprefix('+')}|203\.0\.113\.77")
TRACES = (CANARY, PHONE.removeprefix("+"))


def make_known(receiver: Receiver) -> Follower:
    """Somebody who was added, changed, written to, exported, imported and spoken of."""
    now = timezone.now()
    by: dict[str, Any] = {"by": TESTER, "now": now}
    person = make_follower(
        email=EMAIL,
        phone=PHONE,
        name=f"Ida {CANARY}-name",
        first_name=f"{CANARY}-first",
        last_name=f"{CANARY}-last",
        external_id=f"{CANARY}-id",
        metadata={f"{CANARY}-key": f"{CANARY}-value"},
        tags=["vip"],
    )
    further_addresses.create_address(follower=person, channel="email", value=SECOND, **by)
    contacts.change_follower(follower=person, values=Profile(time_zone="Europe/Oslo"), **by)
    themselves = Actor(ActorKind.FOLLOWER, str(person.uid), person.label, "203.0.113.77")
    proof = Proof(
        source="one_click", by=themselves, now=now, ip="203.0.113.77", user_agent=f"{CANARY}-agent"
    )
    acts.unsubscribe(follower=person, reason=f"{CANARY}-reason", proof=proof)
    acts.resubscribe(follower=person, proof=proof)
    device = AppDevice("fcm", f"{CANARY}-token-of-a-device")
    register_app(follower=person, app=device, **by)
    kind = make_type("order", category="informational", commercial=False)
    words = {
        "version": make_version(
            body="<p>{{ what }}</p>", variables=[{"name": "what", "type": "string"}]
        )
    }
    told = {"what": f"{CANARY}-data"}
    channels = ["email", "in_app"]
    tell(kind, [person], data=told, dedup_key=f"{CANARY}-dedup", channels=channels, **words)
    receiver.answers["RCPT"] = lambda to: f"450 4.2.0 {to} is busy"
    both = [person, make_follower(email="other@example.com")]
    tell(kind, both, data={"what": f"about {EMAIL}"}, **words)
    drain()
    del receiver.answers["RCPT"]
    happened = {"what": f"{CANARY}-happened"}
    events = [
        NewEvent("order.paid", person, happened, dedup_key=f"{CANARY}-event"),
        NewEvent("invited", None, {"who": EMAIL}, dedup_key=EMAIL),
    ]
    record(events=events, now=now)
    later = now + dt.timedelta(days=3)
    tell(kind, [person], send_at=later, data={"what": f"{CANARY}-later"}, **words)
    suppress(channel="email", value=SECOND, reason="complaint", note=f"said {SECOND}", **by)
    Segment.objects.create(
        name="Hers", rules={"field": "email", "is": EMAIL}, created_at=now, updated_at=now
    )
    run_import(f"email,name\n{EMAIL},{CANARY}-import\n{EMAIL},{CANARY}-twice\n")
    start_upload(
        file=io.BytesIO(f"email,name\n{EMAIL},{CANARY}-file\nz@example.com,Zed\n".encode()),
        file_name="waiting.csv",
        **by,
    )
    for each, asked in (("followers", {"search": EMAIL}), ("consent", {})):
        write.run(start_export(kind=each, asked=asked, **by).pk)
    return Follower.objects.get(pk=person.pk)


def erased(person: Follower) -> None:
    erasure = erase(follower=person, by=TESTER, now=timezone.now())
    remove.run(erasure.pk)
    erasure.refresh_from_db()
    assert erasure.state == "done"


def handed_over(person: Follower) -> dict[str, str]:
    """The files of a copy of all that is held about a person, by name."""
    now = timezone.now()
    copy = ask_for_copy(follower=person, by=TESTER, now=now)
    write.run(copy.pk)
    copy.refresh_from_db()
    packed = b"".join(fetch_copy(copy=copy, follower=person, by=TESTER, now=now))
    with zipfile.ZipFile(io.BytesIO(packed)) as pack:
        assert pack.testzip() is None
        return {name: pack.read(name).decode() for name in pack.namelist()}


def canaries() -> set[str]:
    """Each word of the person's own that lies anywhere."""
    found = {each for _place, text in everything() for each in _WORDS.findall(text)}
    return {each.rstrip(".-@") for each in found}


def everything() -> Iterator[tuple[str, str]]:
    """Each row of each table and each file, as text under its place; what is encrypted, opened."""
    with connection.cursor() as cursor:
        for table in sorted(connection.introspection.table_names()):
            quoted = connection.ops.quote_name(table)
            cursor.execute(f"SELECT * FROM {quoted}")  # noqa: S608  (ours)
            for row in cursor.fetchall():
                yield table, repr(row)
    for label, column, keys in settings.ENCRYPTED.values():
        for row in apps.get_model(label).objects.all():
            stored = getattr(row, column)
            texts = [stored]
            if keys:
                texts = [stored[key] for key in keys if stored and key in stored]
            if label == "followers.ExportChunk":
                yield label, json.dumps(write.unpack(stored))
            else:
                yield from ((label, json.dumps(decrypt(text))) for text in texts)
    for folder in (settings.MEDIA_ROOT, settings.JOURNAL_DIR):
        for path in Path(folder).rglob("*"):
            if path.is_file():
                yield str(path), path.read_bytes().decode(errors="replace")


def traces() -> set[str]:
    """Name the places where something of the person lies."""
    return {place for place, text in everything() if any(each in text for each in TRACES)}
