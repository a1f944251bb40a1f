"""A site as its users run it, in processes of its own: web, supervisors,
a witness that receives; and an init.

What dies is started again after half a second, as an init system does it.
Nothing here helps the product otherwise.
"""

import json
import os
import random
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from django.conf import settings
from django.db import connection
from django.utils import timezone

from apps.accounts.keys import issue
from apps.accounts.permissions import Scope
from apps.campaigns import compose, lifecycle
from apps.campaigns.models import Campaign, Run
from apps.followers.models import Address, Follower, NotificationType, Tag, Tagging
from apps.notifications.accounts import edit
from apps.notifications.models import Notification
from apps.notifications.reports.balance import Balance, balance
from tests.chaos.log import Log
from tests.make import TESTER, make_type
from tests.receiver import unused_port

ROOT = settings.BASE_DIR
RESTART_AFTER = 0.5
BODY = """<h1>Hello {{ follower.first_name }}</h1>
<p>Your plan is {{ follower.metadata.plan }}, since {{ since }}.</p>
<p>{{ story }}</p><p><a href="https://example.com/read">Read more</a></p>"""
STORY = "Every bell of the tower was cast by hand and tuned by ear. " * 20


@dataclass(slots=True)
class Program:
    """A program that init looks after, unless it was told to stop."""

    name: str
    command: Sequence[str]
    environment: dict[str, str]
    log: Path
    process: "subprocess.Popen[bytes] | None" = None
    wanted: bool = True
    starts: int = 0

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=os.environ | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.starts += 1

    @property
    def pid(self) -> int:
        if self.process:
            return self.process.pid
        return 0

    def family(self) -> list[psutil.Process]:
        """Itself and all its descendants that live."""
        try:
            me = psutil.Process(self.pid)
            return [
                each
                for each in (me, *me.children(recursive=True))
                if each.status() != psutil.STATUS_ZOMBIE
            ]
        except psutil.Error:
            return []


class World:
    def __init__(self, folder: Path, *, seed: int) -> None:
        self.folder = folder
        self.dice = random.Random(seed)
        self.seed = seed
        self.log = Log(folder / "received.jsonl")
        self.programs: dict[str, Program] = {}
        self.database: Any = None  # tests.postgres.Server, unless it is SQLite
        self.port = 0
        self.site = settings.SITE_URL
        self._over = threading.Event()
        self._init = threading.Thread(target=self._keep_alive, daemon=True)
        self._key = ""

    # ---- programs
    def run(self, name: str, command: Sequence[str], **environment: str) -> Program:
        program = Program(name, command, environment, self.folder / f"{name}.log")
        program.start()
        self.programs[name] = program
        if not self._init.is_alive():
            self._init.start()
        return program

    def start_receiver(
        self, *, slowness: float = 0.0, faults: dict[str, float] | None = None, **settings: Any
    ) -> None:
        """The witness, and an account that leads to it."""
        self.port = unused_port()
        words = ["-m", "tests.chaos.receiver", str(self.port), str(self.folder / "received.jsonl")]
        words += [
            "--slowness",
            str(slowness),
            "--faults",
            json.dumps(faults or {}),
            "--seed",
            str(self.seed),
        ]
        self.run("receiver", [sys.executable, *words])
        sender = {
            "from_name": "Carillon",
            "from_address": "hello@carillon.example",
            "security": "none",
        }
        values = {"host": "127.0.0.1", "port": self.port, "timeout": 20, **sender, **settings}
        now = timezone.now()
        edit.create_account(
            enabled=True, name="Receiver", provider_key="smtp", settings=values, by=TESTER, now=now
        )

    def start_web(self) -> None:
        port = self.site.rpartition(":")[2]
        words = ["--interface", "wsgi", "--host", "127.0.0.1", "--port", port, "--workers", "1"]
        words += [
            "--blocking-threads",
            "4",
            "--log-level",
            "warning",
            "notifications_project.wsgi:application",
        ]
        self.run("web", [sys.executable, "-m", "granian", *words])
        self.until(
            lambda: self.ask("GET", "/healthz")[0] == 200, "the web server answers", within=300
        )

    def start_worker(self, name: str = "worker", *words: str, **environment: str) -> Program:
        return self.run(name, [sys.executable, "manage.py", "worker", *words], **environment)

    def _keep_alive(self) -> None:
        while not self._over.wait(0.1):
            for program in list(self.programs.values()):
                if program.wanted and program.process and program.process.poll() is not None:
                    self._end(
                        program
                    )  # systemd, too, ends what the main process of a unit leaves in its group
                    if not self._over.wait(RESTART_AFTER) and program.wanted:
                        program.start()

    def _end(self, program: Program) -> None:
        with suppress(ProcessLookupError):
            os.killpg(program.pid, 9)

    def end(self) -> None:
        self._over.set()
        if self._init.is_alive():
            self._init.join()
        for program in self.programs.values():
            for process in program.family():
                with suppress(psutil.Error):
                    process.kill()
            self._end(program)
        for program in self.programs.values():
            if program.process:
                program.process.wait()

    # ---- what a user does
    def ask(self, method: str, path: str, body: Any = None, *, key: str = "") -> tuple[int, Any]:
        """A call of the API, or of any page; (0, why) when nobody answers."""
        data = None
        if body is not None:
            data = json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} | (
            {"Authorization": f"Bearer {key}"} if key else {}
        )
        request = urllib.request.Request(self.site + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                text = response.read()
                return response.status, (
                    json.loads(text) if "json" in response.headers["Content-Type"] else text
                )
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except OSError as error:
            return 0, str(error)

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """The API, as a program with a key."""
        if not self._key:
            self._key = issue(name="chaos", scopes=list(Scope), by=TESTER, now=timezone.now())[1]
        return self.ask(method, f"/api/v1{path}", body, key=self._key)

    def make_campaign(
        self, name: str, kind: NotificationType, audience: dict[str, Any] | None = None, **more: Any
    ) -> Campaign:
        parts = {"email": {"subject": name + " for {{ follower.name }}", "html": BODY}}
        values: dict[str, Any] = {
            "channels": ["email"],
            "data": {"since": "spring", "story": STORY},
        } | more
        return compose.create_campaign(
            values=compose.CampaignValues(
                name=name,
                notification_type=kind,
                translations={"en": parts},
                variables=[
                    {"name": "since", "type": "string"},
                    {"name": "story", "type": "string"},
                ],
                audience=audience or {"everyone": True},
                **values,
            ),
            by=TESTER,
            now=timezone.now(),
        )

    def send(self, campaign: Campaign) -> Run:
        return lifecycle.send_now(campaign=campaign, by=TESTER, now=timezone.now())

    # ---- waiting and seeing
    def until(
        self, condition: Callable[[], Any], what: str, *, within: float, every: float = 0.1
    ) -> Any:
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            if value := condition():
                return value
            time.sleep(every)
        raise NotReached(f"not within {within:.0f} s: {what}")

    def arrived(self, run: Run) -> int:
        return len(self.log.read().of(run.notification.uid))

    def finished(self, run: Run) -> bool:
        return bool(
            asked(lambda: Campaign.objects.filter(pk=run.campaign_id, state="sent").exists(), False)
        )

    def wait_for(self, run: Run, *, within: float) -> None:
        self.until(lambda: self.finished(run), f"{run.campaign} is sent", within=within, every=0.25)

    def sheet(self, run: Run) -> Balance:
        return balance(Notification.objects.get(pk=run.notification_id))


class NotReached(AssertionError):
    """Something that must happen did not."""


def asked(question: Callable[[], Any], otherwise: Any) -> Any:
    """The database's answer, or `otherwise` while it is down: the driver, too,
    must live through that.
    """
    from django.db import DatabaseError

    try:
        return question()
    except DatabaseError:
        connection.close()
        return otherwise


def make_crowd(
    count: int, *, tag: str = "", domain: str = "example.com", first: int = 0
) -> list[Follower]:
    """Followers by the thousand: straight into the tables,
    because the import has tests of its own.
    """
    now = timezone.now()
    numbers = range(first, first + count)
    people = Follower.objects.bulk_create(
        (
            Follower(
                name=f"P{n} Bell",
                subscribed=True,
                subscribed_at=now,
                created_at=now,
                updated_at=now,
                metadata={"plan": "pro" if n % 3 else "free"},
            )
            for n in numbers
        ),
        batch_size=5000,
    )
    Address.objects.bulk_create(
        (
            Address(
                follower=one,
                channel="email",
                value=f"p{n}@{domain}",
                key=f"p{n}@{domain}",
                created_at=now,
            )
            for n, one in zip(numbers, people, strict=True)
        ),
        batch_size=5000,
    )
    if tag:
        row, _ = Tag.objects.get_or_create(slug=tag, defaults={"name": tag, "created_at": now})
        Tagging.objects.bulk_create(
            (Tagging(follower=one, tag=row, created_at=now) for one in people), batch_size=5000
        )
    return people


def news(**fields: Any) -> NotificationType:
    return make_type(
        fields.pop("key", "news"), channels=["email"], default_channels=["email"], **fields
    )
