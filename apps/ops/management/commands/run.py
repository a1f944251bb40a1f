"""Command `manage.py run`: the whole site on one machine for development; `make run` calls it."""

import fcntl
import os
import signal
import socket
import sys
import time
from argparse import SUPPRESS, ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

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
from apps.ops.forks import Closable, load, manage
from apps.ops.groups import Group, Hurry, Restarts, end_all

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

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--held", nargs=3, type=int, help=SUPPRESS)

    def handle(self, *args: Any, held: list[int] | None, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError(
                "`run` is for development. In production start the web server, `manage.py worker`"
                " and nothing else; for development set CARILLON_MODE=development in .env."
            )
        if held:
            self.run_site(*held)
        else:
            hold_and_begin_again(Path(settings.VAR_DIR))

    def run_site(self, lock: int, web: int, mailbox: int) -> None:
        """Start everything and look after it until the end; with what is held, by number: the
        folder's file, the reserved port, the socket on which the mailbox listens.

        All programs are forks of this one, whose settings know the ports.
        """
        hurry = Hurry()
        load()
        twin = socket.socket(fileno=web)
        listener = socket.socket(fileno=mailbox)
        port: int = twin.getsockname()[1]
        nobodys: list[Closable] = [os.fdopen(lock), twin]
        self.prepare(hurry)
        move_accounts(listener.getsockname()[1])
        groups = [
            Group("web", work=partial(serve_web, port), drops=[*nobodys, listener]),
            Group("worker", work=partial(manage, "worker"), drops=[*nobodys, listener]),
            Group("mailbox", work=partial(manage, "mailbox", "--fd", str(mailbox)), drops=nobodys),
        ]
        for group in groups:
            group.death_signal = signal.SIGTERM
        try:
            self.watch(groups, hurry, port, settings.SITE_URL)
        finally:
            self.say("Stopping ...")
            end_all(groups, within=STOP_WITHIN, hurry=hurry)

    def say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()

    def prepare(self, hurry: Hurry) -> None:
        """Migrate, set up and fill the database. Raises CommandError, when it is ended, too."""
        self.say("Preparing the database ...")
        self.manage(hurry, "migrate", "--verbosity", "0")
        self.manage(hurry, "setup_site", quiet=True)
        if world.is_empty():
            self.say("Making the demo world (once) ...")
            self.manage(hurry, "demo", quiet=True)

    def manage(self, hurry: Hurry, *words: str, quiet: bool = False) -> None:
        work = partial(manage, *words)
        if quiet:
            work = partial(quietly, work)
        group = Group(words[0], work=work)
        group.start()
        while (code := group.exit_code()) is None:
            if hurry.stopping():
                group.kill()
                raise CommandError("Ended before the site ran.")
            time.sleep(0.02)
        if code:
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


def hold_and_begin_again(folder: Path) -> None:
    """Take hold of the folder, the port and the mailbox's, then be the same command anew: settings
    are read once, and must know the ports. Raises CommandError.
    """
    with ExitStack() as held:
        lock = held.enter_context(the_only_one(folder))
        web = held.enter_context(closing(web_port()))
        mailbox = held.enter_context(mailbox_socket())
        site = os.environ.get("SITE_URL") or f"http://{HERE}:{web.port}"
        announce(lock, site)
        tell_programs(site, mailbox.getsockname()[1])
        numbers = [lock.fileno(), web.fileno(), mailbox.fileno()]
        for number in numbers:
            os.set_inheritable(number, True)
        words = [sys.executable, str(settings.BASE_DIR / "manage.py"), "run", "--held"]
        os.execv(sys.executable, [*words, *map(str, numbers)])  # noqa: S606  # words of ours


def quietly(work: Callable[[], None]) -> None:
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        work()


def serve_web(port: int) -> None:
    """Be the web server, whose worker is a fork again."""
    Granian(
        "notifications_project.wsgi:application",
        address=HERE,
        port=port,
        interface=Interfaces.WSGI,
        blocking_threads=4,
        log_level=LogLevels.warning,
        workers_kill_timeout=5,
    ).serve()


@contextmanager
def the_only_one(folder: Path) -> Iterator[IO[str]]:
    """Hold a folder for this run, by a file that the site's address is written into.

    Raises CommandError when the folder's site runs already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "running").open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            raise CommandError(already_running(file.read().strip())) from error
        announce(file, "")
        yield file


def announce(file: IO[str], site: str) -> None:
    """Write down where the site is, for whoever starts it a second time."""
    file.truncate(0)
    file.write(site)
    file.flush()


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


def tell_programs(site: str, mail_port: int) -> None:
    """Let the settings of all programs that begin from here on know the addresses."""
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
