"""The strict receiver as a witness: a log of what it took before it said so,
and how each connection ended.

`python -m tests.chaos.receiver PORT LOG [--slowness SECONDS] [--faults JSON] [--seed N]`. Three
kinds of lines: "kept" (a mail was taken; written before the 250), "end" (a connection is over;
`open` if in mid-transaction) and "fault" (a scripted answer was given). Faults are shares of
recipients, "RCPT 4xx": 0.01, or of connections for CONNECT.
"""

import argparse
import json
import random
import socket
import threading
import time
from collections.abc import Mapping
from email.parser import BytesHeaderParser
from email.policy import compat32
from pathlib import Path
from typing import Any

from tests.receiver import DROP, Receiver, _Conversation

WORDS = {
    "4xx": "450 4.2.0 The mailbox is busy, try again later",
    "5xx": "550 5.1.1 There is no such mailbox here",
    "421": "421 4.3.2 Going down for a moment",
    "garbage": "250-what\r\n999 ?!",
    "multiline": "451-4.3.0 Something\r\n451-4.3.0 went\r\n451 4.3.0 wrong",
    "drop": DROP,
    "accept": "accept and say nothing",
}
# linux/tcp_states.h, CLOSE: who has left answers our words with a reset;
# who read them first leaves CLOSE_WAIT.
GONE = 7
_now = threading.local()


class _Watched(_Conversation):
    """A conversation that knows at its end whether a transaction was open:
    from MAIL until its answer was read.
    """

    begun = unanswered = answered = quit = ours = False
    recipient = ""

    def handle(self) -> None:
        _now.conversation = self
        self.unsaid = b""
        witness: Any = self.server.receiver
        reset = False
        try:
            self._converse(witness)
        except (ConnectionError, TimeoutError):
            reset = True  # data lay unread when the process died: our answer among it
        cut_off = self.begun or self.unanswered or (reset and self.answered)
        witness.note("end", port=self.client_address[1], open=cut_off and not self.ours)

    def _answer(self, stage: str, argument: str, good: str) -> bool:
        if stage == "MAIL":
            self.begun = True
            self.answered = False
            self.recipient = ""
        if stage == "RCPT":
            self.recipient = argument
        return super()._answer(stage, argument, good)

    def _say(self, text: str) -> None:
        super()._say(text)
        if text[0] in "45":
            self.begun = False

    def _flush(self) -> None:
        super()._flush()
        if self.unanswered:
            state = self.connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
            self.unanswered = state == GONE
            self.answered = True


class Faults(dict[str, Any]):
    """What is answered at each stage instead of the good answer.

    Refusals stay; everything else happens once.
    """

    def __init__(self, shares: Mapping[str, float], seed: int, witness: "Witness") -> None:
        super().__init__()
        self._shares = shares
        self._seed = seed
        self._witness = witness
        self._dice = random.Random(seed)
        self._done: set[str] = set()

    def get(self, stage: str, default: Any = None) -> Any:
        conversation = getattr(_now, "conversation", None)
        if conversation is None or stage == "AUTH":
            return default
        if stage in ("CONNECT", "MAIL"):
            return self._lot(stage)
        if stage in ("RCPT", "DOT"):
            return lambda recipient: self._answer(stage, recipient)
        return self._answer(stage, conversation.recipient)

    def _lot(self, stage: str) -> str | None:
        for fault, share in self._shares.items():
            if fault.startswith(stage) and self._dice.random() < share:
                return self._tell(fault, "")
        return None

    def _answer(self, stage: str, recipient: str) -> str | None:
        fault = fate(self._shares, self._seed, recipient)
        if not fault.startswith(stage) or (recipient in self._done and not fault.endswith("5xx")):
            return None
        self._done.add(recipient)
        return self._tell(fault, recipient)

    def _tell(self, fault: str, recipient: str) -> str:
        self._witness.note(
            "fault", fault=fault, recipient=recipient, port=_now.conversation.client_address[1]
        )
        if fault.endswith(("drop", "accept", "421")):
            _now.conversation.ours = True
        return WORDS[fault.split()[1]]


def fate(shares: Mapping[str, float], seed: int, recipient: str) -> str:
    """Which fault this recipient meets, "" for none: always the same one for the same seed."""
    lot = random.Random(f"{seed} {recipient}").random()
    for fault, share in shares.items():
        if fault.startswith(("CONNECT", "MAIL")):
            continue
        if lot < share:
            return fault
        lot -= share
    return ""


class Witness(Receiver):
    def __init__(
        self, port: int, log: Path, *, faults: Mapping[str, float], seed: int, slowness: float
    ) -> None:
        super().__init__(port)
        self._book = log.open("a", buffering=1)
        self._server.RequestHandlerClass = _Watched
        self._server.request_queue_size = 128
        self.slowness = slowness
        if faults:
            self.answers = Faults(faults, seed, self)

    def note(self, what: str, **more: Any) -> None:
        self._book.write(json.dumps({"what": what, "at": time.time(), **more}) + "\n")

    def keep(self, sender: str, recipient: str, content: bytes) -> None:
        head = BytesHeaderParser(policy=compat32).parsebytes(
            content.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        )
        self.note(
            "kept",
            port=_now.conversation.client_address[1],
            recipient=recipient,
            id=str(head["Message-ID"]).strip(),
            of=str(head["Feedback-ID"]).partition(":")[0].strip(),  # the notification
            leave="".join(str(head["List-Unsubscribe"]).split()).strip("<>"),
        )
        _now.conversation.begun = False
        _now.conversation.unanswered = True


if __name__ == "__main__":
    words = argparse.ArgumentParser()
    words.add_argument("port", type=int)
    words.add_argument("log", type=Path)
    words.add_argument("--slowness", type=float, default=0.0)
    words.add_argument("--faults", type=json.loads, default={})
    words.add_argument("--seed", type=int, default=7)
    asked = words.parse_args()
    with Witness(
        asked.port, asked.log, faults=asked.faults, seed=asked.seed, slowness=asked.slowness
    ) as program:
        print(f"receiving on {program.port}", flush=True)
        threading.Event().wait()
