"""Send what is due: claim a slice, look again whether each may go,
hand over outside any transaction, record.

Read from `send_lane` down. One thread, this one, has the database; others (line.py) talk to the
servers. Who claims owns the rows until its lease runs out (held.py); the journal knows what it did.
"""

import datetime as dt
import logging
import threading
import time

from apps.channels.contract import BadSettings
from apps.channels.registry import UnknownProvider
from apps.lib import steady_clock
from apps.lib.crypto import Undecryptable
from apps.lib.processes.ticking import only_with
from apps.lib.queue.announce import announce, answer_all, waiting
from apps.lib.queue.lanes import Lane
from apps.notifications.accounts import health, routing
from apps.notifications.books import tallies
from apps.notifications.books.sleep import awake
from apps.notifications.books.wake import SEND_TASK, announce_senders
from apps.notifications.limits import grant
from apps.notifications.safety import restored
from apps.notifications.sending import choose, claim
from apps.notifications.sending.held import stopped
from apps.notifications.sending.journal import Journal
from apps.notifications.sending.shift import FIRST_CLAIM, PATIENCE, Shift, give_back

log = logging.getLogger("carillon.send")

WORK_SECONDS = 8.0  # a task works that long, then announces the next
# pause and cancel are looked for this often, and so is work where all that was due is in hand
STATE_SECONDS = 0.1
# while there is more than enough for the accounts at work: how often the others are thought of
OTHERS_SECONDS = 0.5
# Where messages come one by one, a sender that has found some again and again stays for the next
# ones: another task and another connection for each would cost more than they do.
LINGER_SECONDS = 0.3


@only_with(awake)
def announce_due(*, now: dt.datetime) -> None:
    """Schedule: wake lanes that have due work and no call waiting,
    and close notifications that are through.
    """
    for lane in Lane:
        reach = routing.reach(now=now, lane=lane.value)
        if choose.places(lane, reach, now=now, most=1) and waiting(lane) == 0:
            announce_senders(lane)
    through = awake(now).alias(left=tallies.standing(*tallies.WAITING)).filter(left=0)
    tallies.finish_all_done(list(through.values_list("pk", flat=True)[:400]), now=now)


def send_lane(*, name: str, **_: object) -> None:
    """Task: send what is due in the lane for a few seconds; finding nothing is normal."""
    lane = Lane(name)
    restored.look(now=steady_clock.now())
    if lane is not Lane.BULK:  # there two are called, and both shall come
        answer_all(SEND_TASK, lane=lane)
    with Journal() as journal:
        through = _Sender(lane, journal).run()
    # a call that waits already goes on; more would keep other tasks waiting
    if not through and waiting(lane) == 0:
        announce(SEND_TASK, lane=lane, name=name)


class _Sender:
    """The thread with the database: it claims for all accounts of a lane,
    and each has its shift meanwhile.

    Side by side, because a code by SMS must not wait until the emails before it are gone.
    """

    def __init__(self, lane: Lane, journal: Journal) -> None:
        self._lane = lane
        self._journal = journal
        self._shifts: dict[int, Shift] = {}  # by account
        self._leaving: list[Shift] | None = None  # who was at work when the time was over
        self._news = threading.Event()
        self._errors: list[BaseException] = []
        now = time.monotonic()
        self._looked = now  # when paused notifications were last looked for
        self._again = now  # when to claim next
        self._others = now  # when to claim next while all accounts at work have enough
        self._found: float | None = None  # when a claim has last found rows
        self._all_in_hand = False
        self._trickles = False

    def run(self) -> bool:
        """Work the lane off: True when nothing was left to do, False when the time is over.

        A slow server must not keep a task at work until the queue kills it.
        """
        until = time.monotonic() + WORK_SECONDS
        through = False
        try:
            while not (through or self._errors or self._is_over(until)):
                self._news.clear()
                found = self._claim()
                for shift in self._shifts.values():
                    if shift.go_on():
                        # the next channel of a chain may be due, or all that waited for a probe
                        self._all_in_hand = False
                self._look_again()
                self._see_off()
                if not found and not self._quiet():
                    self._news.wait(STATE_SECONDS)
                elif not found:
                    through = self._nothing_comes(until)
        finally:
            for shift in self._shifts.values():
                shift.close()
            patience = time.monotonic() + PATIENCE
            for shift in self._shifts.values():
                self._errors += shift.end(until=patience)
        if self._errors:
            raise self._errors[0]
        return through

    def _is_over(self, until: float) -> bool:
        """Whether the time is over, and all shifts that were at work then have had theirs to get
        their answers: meanwhile the others go on, as a code must not wait for another account's
        slow server.
        """
        if time.monotonic() < until:
            return False
        if self._leaving is None:
            self._leaving = [*self._shifts.values()]
            # most are gone by then, and the next task is for all
            self._again = time.monotonic() + STATE_SECONDS
            self._others = self._again
            for shift in self._leaving:
                shift.close()
        return not any(shift in self._leaving for shift in self._shifts.values())

    def _quiet(self) -> bool:
        return all(shift.quiet() for shift in self._shifts.values())

    def _claim(self) -> bool:
        """Claim rows for one shift; False where there are none, or nobody needs any."""
        room = {account: shift.room() for account, shift in self._shifts.items()}
        earliest = self._again
        if room and not any(room.values()):
            earliest = self._others
        if time.monotonic() < earliest:
            return False
        idle = self._quiet()
        batch = claim.claim(self._lane, owner=self._journal.owner, size=FIRST_CLAIM, room=room)
        now = time.monotonic()
        # accounts that have enough were not asked
        self._all_in_hand = batch is None and all(room.values())
        if batch is None:
            self._again = now + STATE_SECONDS
            self._others = now + OTHERS_SECONDS
            return False
        self._trickles = self._trickles or (idle and self._found is not None)
        self._found = now
        self._again = now
        if batch.last:
            self._again = now + STATE_SECONDS
        self._others = self._again
        if shift := self._shifts.get(batch.account.pk) or self._open(batch):
            shift.put(batch.rows)
        return True

    def _open(self, batch: claim.Batch) -> Shift | None:
        """The account's shift; None where it can't be opened, and then the rows are given back."""
        account = batch.account
        try:
            shift = Shift(account, self._journal, self._news)
        except (BadSettings, UnknownProvider, Undecryptable) as error:
            self._not_opened(batch, str(error))
            return None
        except Exception as error:
            # a bug costs its account a pause, else the lane would end here each time
            log.exception("%s can't be opened.", account)
            self._not_opened(batch, f"{type(error).__name__}: {error}")
            return None
        self._shifts[account.pk] = shift
        return shift

    def _not_opened(self, batch: claim.Batch, detail: str) -> None:
        give_back(self._journal.owner, batch.account, batch.rows)
        health.pause(batch.account, detail=detail, now=steady_clock.now())

    def _look_again(self) -> None:
        """Look for what people have stopped or changed since the last time; they wait for it."""
        now = time.monotonic()
        if now - self._looked > STATE_SECONDS:
            self._looked = now
            self._withdraw_stopped()
            self._stop_outdated()

    def _stop_outdated(self) -> None:
        """Stop the shifts whose account was switched off or changed. One that is on gets another
        shift, with what is true now.
        """
        for account in routing.outdated(shift.edition for shift in self._shifts.values()):
            self._shifts[account].stop()

    def _withdraw_stopped(self) -> None:
        """Give back what belongs to notifications that were paused or cancelled."""
        held: set[int] = set()
        for shift in self._shifts.values():
            held |= shift.notifications()
        if not held:
            return
        if gone := stopped(held):
            for shift in self._shifts.values():
                shift.withdraw(gone)

    def _see_off(self) -> None:
        """End the shifts whose account can't go on and whose connections have ended; the account
        may get another one.
        """
        for account, shift in list(self._shifts.items()):
            if shift.over():
                del self._shifts[account]
                self._errors += shift.end(until=0.0)

    def _nothing_comes(self, until: float) -> bool:
        """Whether nothing is due, with nothing in hand; if not, some time has passed."""
        if grant.sleep_until_turn(until) or not (self._trickles or self._all_in_hand):
            self._again = 0.0
            return False
        since_found = time.monotonic() - (self._found or 0.0)
        lingers = self._trickles and since_found < LINGER_SECONDS
        if self._all_in_hand and not lingers:
            return True
        time.sleep(max(0.0, self._again - time.monotonic()))
        return False
