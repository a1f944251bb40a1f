"""Command `manage.py run`: the whole site on one machine for development; `make run` calls it."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from apps.accounts.models import User
from apps.channels.contract import BadSettings
from apps.followers.models import Channel
from apps.lib.actor import command
from apps.lib.crypto import Undecryptable
from apps.notifications.accounts.edit import AccountValues, change_account
from apps.notifications.accounts.routing import settings_of
from apps.notifications.models import ProviderAccount
from apps.ops.demo import world
from apps.ops.groups import Group, Hurry, end_all, manage

HERE = "127.0.0.1"
STOP_WITHIN = 28  # the supervisor below us takes up to 25 s; the promise is 30
DIED_AT_ONCE = (
    5  # seconds; a program that ends so soon has said why, and starting it again says it again
)


class Command(BaseCommand):
    help = (
        "Starts web, workers and the development mailbox, and makes the demo world once. Ctrl-C"
        " ends everything."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError(
                "`run` is for development. In production start the web server, `manage.py worker`"
                " and nothing else; for development set CARILLON_MODE=development in .env."
            )
        hurry = Hurry()
        last_port = Path(settings.VAR_DIR) / "mailbox-port"
        first = settings.MAILBOX_PORT
        if last_port.exists():
            first = int(last_port.read_text())
        mail_port = free_port(first)
        wanted = os.environ.get("PORT", "")
        if wanted and not wanted.isdecimal():
            raise CommandError(f"PORT={wanted!r} is not a number.")
        if wanted:
            port = int(wanted)
        else:
            port = free_port(8000)
        if wanted and not is_free(port):
            raise CommandError(
                f"Port {port} is in use. Choose another: make run PORT={free_port(port)}"
            )
        site = os.environ.get("SITE_URL") or f"http://{HERE}:{port}"
        os.environ |= {
            "SITE_URL": site,
            "MAILBOX_PORT": str(mail_port),
            "EMAIL_PORT": str(mail_port),
        }
        self.prepare()
        move_accounts(last_port, mail_port)
        groups = [
            Group("web", web_server(port), death_signal=signal.SIGTERM),
            Group("worker", manage("worker"), death_signal=signal.SIGTERM),
            Group("mailbox", manage("mailbox"), death_signal=signal.SIGTERM),
        ]
        try:
            self.watch(groups, hurry, port, site)
        finally:
            self.say("Stopping ...")
            end_all(groups, within=STOP_WITHIN, hurry=hurry)

    def say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()

    def prepare(self) -> None:
        """Migrate, set up and fill the database in programs of their own, because they must see
        the ports that were chosen just now.
        """
        self.say("Preparing the database ...")
        self.manage("migrate", "--verbosity", "0")
        self.manage("setup_site", quiet=True)
        if world.is_empty():
            self.say("Making the demo world (once) ...")
            self.manage("demo", quiet=True)

    def manage(self, *words: str, quiet: bool = False) -> None:
        output = None
        if quiet:
            output = subprocess.DEVNULL
        if subprocess.run(
            manage(*words), stdin=subprocess.DEVNULL, stdout=output, check=False
        ).returncode:
            raise CommandError(f"manage.py {words[0]} failed; it says why above.")

    def watch(self, groups: list[Group], hurry: Hurry, port: int, site: str) -> None:
        for group in groups:
            group.start()
        while not hurry.stopping() and is_free(port) and groups[0].exit_code() is None:
            time.sleep(0.1)
        if not hurry.stopping():
            self.greet(site)
        while not hurry.stopping():
            for group in groups:
                code = group.exit_code()
                if code is None:
                    continue
                if time.monotonic() - group.started < DIED_AT_ONCE:
                    raise CommandError(
                        f"The {group.name} program ended with code {code}; it says why above."
                    )
                self.say(f"The {group.name} program ended with code {code}; starting it again.")
                group.kill()
                group.start()
            time.sleep(0.2)

    def greet(self, site: str) -> None:
        lines = [
            "",
            f"  {settings.SITE_NAME} runs at {site}",
            f"  Mails that leave are read at {site}/mailbox/",
        ]
        people = User.objects.filter(username__in=world.STAFF).order_by("pk")
        if people:
            lines += ["", f"  Demo log-ins (password of all: {world.PASSWORD})"]
            lines += [f"    {person.username:<10} {person.get_role_display()}" for person in people]
        self.say("\n".join([*lines, "", "  Ctrl-C stops everything.", ""]))


def web_server(port: int) -> list[str]:
    words = [
        "--interface",
        "wsgi",
        "--host",
        HERE,
        "--port",
        str(port),
        "--workers",
        "1",
        "--blocking-threads",
        "4",
    ]
    words += ["--log-level", "warning", "--workers-kill-timeout", "5"]
    return [sys.executable, "-m", "granian", *words, "notifications_project.wsgi:application"]


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HERE, port))
        except OSError:
            return False
    return True


def free_port(first: int) -> int:
    """Port that nobody uses: `first` or the next one up."""
    for port in range(first, first + 100):
        if is_free(port):
            return port
    raise CommandError(f"No free port from {first} to {first + 99}.")


def move_accounts(last_port: Path, port: int) -> None:
    """Provider accounts remember the mailbox's port of the last start;
    follow it when it had to change.
    """
    last = port
    if last_port.exists():
        last = int(last_port.read_text())
    for account in ProviderAccount.objects.filter(channel=Channel.EMAIL):
        try:
            values = settings_of(account)
            if (
                last != port
                and values.get("host") in (HERE, "localhost")
                and values.get("port") == last
            ):
                change_account(
                    account=account,
                    values=AccountValues(settings={"port": port}),
                    by=command("run"),
                    now=timezone.now(),
                )
        except (Undecryptable, BadSettings):
            continue  # not ours: somebody's own account, whose page says what is wrong with it
    last_port.write_text(str(port))
