"""Command `manage.py run`: the whole site on one machine for development; `make run` calls it."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
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
from apps.lib.network import ports
from apps.lib.network.ports import HERE
from apps.notifications.accounts.edit import AccountValues, change_account
from apps.notifications.accounts.routing import settings_of
from apps.notifications.models import ProviderAccount
from apps.ops.demo import world
from apps.ops.groups import Group, Hurry, Restarts, end_all, manage

LOCAL = (HERE, "localhost")
STOP_WITHIN = 28  # the supervisor below us takes up to 25 s; the promise is 30
# Seconds; a program that ends so soon after its first start has said why, and starting it again
# says it again.
DIED_AT_ONCE = 5


@dataclass(slots=True)
class Kept:
    """A program that is started again when it ends."""

    group: Group
    restarts: Restarts = field(default_factory=Restarts)
    stood: bool = False  # it has lived longer than a program that can't start


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
        with ExitStack() as held:
            announce = held.enter_context(the_only_one(Path(settings.VAR_DIR)))
            web = held.enter_context(closing(web_port()))
            mailbox = held.enter_context(mailbox_socket())
            site = os.environ.get("SITE_URL") or f"http://{HERE}:{web.port}"
            announce(site)
            hurry = Hurry()
            mail_port: int = mailbox.getsockname()[1]
            tell_children(site, mail_port)
            self.prepare()
            move_accounts(mail_port)
            fd = mailbox.fileno()
            groups = [
                Group("web", web_server(web.port), death_signal=signal.SIGTERM),
                Group("worker", manage("worker"), death_signal=signal.SIGTERM),
                Group(
                    "mailbox",
                    manage("mailbox", "--fd", str(fd)),
                    death_signal=signal.SIGTERM,
                    inherits=[fd],
                ),
            ]
            try:
                self.watch(groups, hurry, web.port, site)
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

    def watch(self, groups: Sequence[Group], hurry: Hurry, port: int, site: str) -> None:
        kept = [Kept(group) for group in groups]
        web = kept[0]
        for each in kept:
            each.group.start()
        greeted = False
        while not hurry.stopping():
            for each in kept:
                self.look_after(each)
            if not greeted and web.group.exit_code() is None and ports.answers(port):
                greeted = True
                self.greet(site)
            time.sleep(0.1)

    def look_after(self, each: Kept) -> None:
        """Start it again when it has ended, after a pause that grows while it does not hold."""
        group = each.group
        moment = time.monotonic()
        lived = moment - group.started
        if group.process is None:
            if moment >= each.restarts.not_before:
                group.start()
            return
        code = group.exit_code()
        if code is None:
            each.restarts.notice_hold(lived)
            each.stood = each.stood or lived >= DIED_AT_ONCE
            return
        if not each.stood and lived < DIED_AT_ONCE:
            raise CommandError(
                f"The {group.name} program ended with code {code}; it says why above."
            )
        group.kill()
        each.restarts.failed(moment)
        when = "at once"
        if each.restarts.pause:
            when = f"in {each.restarts.pause:.0f} s"
        self.say(f"The {group.name} program ended with code {code}; starting it again {when}.")

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


@contextmanager
def the_only_one(folder: Path) -> Iterator[Any]:
    """Hold a folder for this run, and give a function that writes down the site's address.

    Raises CommandError when the folder's site runs already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "running").open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            raise CommandError(already_running(file.read().strip())) from error

        def announce(site: str) -> None:
            file.truncate(0)
            file.write(site)
            file.flush()

        announce("")
        yield announce


def already_running(site: str) -> str:
    where = ""
    if site:
        where = f", at {site}"
    return (
        f"This site runs already{where}. Open it there, or end it first (Ctrl-C where it was"
        " started); a second site needs a folder of its own."
    )


def web_port() -> ports.Reserved:
    """Reserve what PORT says, else a free one from 8000 up. Raises CommandError."""
    wanted = os.environ.get("PORT", "")
    try:
        if not wanted:
            return ports.reserve_from(8000)
        if not wanted.isdecimal() or not 1 <= int(wanted) <= 65535:
            raise CommandError(f"PORT={wanted!r} is not a number from 1 to 65535.")
        port = int(wanted)
        if reserved := ports.reserve(port):
            return reserved
        with closing(ports.reserve_from(port)) as free:
            raise CommandError(f"Port {port} is in use. Choose another: make run PORT={free.port}")
    except ports.NoPort as error:
        raise CommandError(str(error)) from error


def mailbox_socket() -> socket.socket:
    """Listen where the mailbox was the last time, or on the next port that is free.

    The mailbox inherits the socket, so that no mail of this site can reach another one's.
    """
    try:
        return ports.listen(last_mail_port() or settings.MAILBOX_PORT)
    except ports.NoPort as error:
        raise CommandError(f"{error} Set MAILBOX_PORT to begin elsewhere.") from error


def tell_children(site: str, mail_port: int) -> None:
    """Let all programs that we start know the addresses."""
    os.environ |= {"SITE_URL": site, "MAILBOX_PORT": str(mail_port)}
    if settings.EMAIL_HOST in LOCAL:  # else mail goes to a server of somebody's own
        os.environ["EMAIL_PORT"] = str(mail_port)


def last_mail_port() -> int:
    """Give the port of the last start; 0 if there was none."""
    try:
        return int(_last_port().read_text())
    except (FileNotFoundError, ValueError):
        return 0


def _last_port() -> Path:
    return Path(settings.VAR_DIR) / "mailbox-port"


def move_accounts(port: int) -> None:
    """Provider accounts remember the mailbox's port of the last start;
    follow it when it had to change.
    """
    last = last_mail_port() or port
    for account in ProviderAccount.objects.filter(channel=Channel.EMAIL):
        try:
            values = settings_of(account)
            if last != port and values.get("host") in LOCAL and values.get("port") == last:
                change_account(
                    account=account,
                    values=AccountValues(settings={"port": port}),
                    by=command("run"),
                    now=timezone.now(),
                )
        except (Undecryptable, BadSettings):
            continue  # not ours: somebody's own account, whose page says what is wrong with it
    _last_port().write_text(str(port))
