"""A mail as it goes over the wire: written as lines or put together from pieces, it is the same
mail.
"""

import re
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from django.utils import timezone

from apps.channels.mail.dkim import Signer
from apps.channels.mail.mime import BadHeader, as_bytes
from apps.channels.messages import Mail
from apps.lib.queue.lanes import Lane
from apps.notifications.messages.links import read_managing, read_tracking
from apps.notifications.messages.message import message_of
from apps.notifications.messages.row import Row
from apps.notifications.sending import claim
from tests.channels.mail.test_dkim import KEYS, accepted
from tests.make import make_follower, make_type
from tests.notifications.world import make_version, tell
from tests.receiver import Receiver

HTML = (
    "<p>Dear {{ follower.name }},</p>\n.\n"
    "{% for item in follower.metadata.items %}<p>{{ item }}</p>\n{% endfor %}"
    '<a href="https://example.org/a?b=1">Read</a> <a href="https://example.org/c">on</a>'
    '<p><a href="{{ links.preferences }}">Settings</a>'
    '{% if links.unsubscribe != "" %}<a href="{{ links.unsubscribe }}">Leave</a>{% endif %}'
    "{{ site.name }} &middot; {{ site.address }}</p>"
)
ACCOUNT = {"from_name": "Ä & B", "from_address": "news@carillon.example"}
NAMES = [
    "Anna",
    "",
    "Борис Иванов",
    'Zoë "Bell" O\'Hara, <b>&amp;',
    "🎉" * 40,
    "מרים \u202ex",
    "=?utf-8?q?no?= =20",
    "..dots",
    " blanks\t ",
    "x" * 1200,
    "two\r\nBcc: eve@example.com",
    "TRACKING CARILLON-TRACKING-TOKEN-HERE",
]


def written(row: Row, *, lines: bool) -> bytes:
    mail = message_of(row, account=ACCOUNT, now=timezone.now(), lines=lines)
    assert isinstance(mail, Mail)
    return as_bytes(mail)


def read(data: bytes) -> tuple[list[tuple[str, str]], list[str]]:
    """Its headers, but for the moment, and its words, as Python's own parser has them."""
    assert data.isascii()
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)|\n\.", data)
    head, _, body = data.partition(b"\r\n\r\n")
    assert max(map(len, head.split(b"\r\n"))) <= 998
    assert max(map(len, body.split(b"\r\n"))) <= 76
    mail = message_from_bytes(data, policy=default)
    headers = [(name, str(value)) for name, value in mail.items() if name != "Date"]
    parts = [part for part in mail.walk() if not part.is_multipart()]
    assert not any(part.defects for part in parts)
    return headers, [part.get_content().replace("\r\n", "\n") for part in parts]


@pytest.fixture
def rows(receiver: Receiver) -> list[Row]:
    """Two mails that are about to leave: a tracked one that can be left, and one that can't."""
    anna = make_follower(email="anna@example.com", name="Anna", metadata={"items": ["a", "é"]})
    for key, category in (("news", "marketing"), ("orders", "informational")):
        kind = make_type(key, category=category)
        tell(kind, [anna], version=make_version(key, body=HTML), tracking=True)
    found = []
    while batch := claim.claim(Lane.BULK, owner="test", size=9):
        found += batch.rows
    while batch := claim.claim(Lane.TRANSACTIONAL, owner="test", size=9):
        found += batch.rows
    return found


def test_a_mail_is_the_same_in_lines_and_in_pieces_for_whoever_reads_it(rows: list[Row]) -> None:
    signers = [Signer(domain="carillon.example", selector="bell", key=key) for key in KEYS.values()]
    assert len(rows) == 2
    for row in rows:
        person: Any = row.person
        commercial = row.notification.notification_type.commercial
        for name in NAMES:
            person.name = name
            for measured in (True, False):
                person.measured = measured
                in_lines = written(row, lines=True)
                assert read(in_lines) == read(written(row, lines=False))
                headers, _ = read(in_lines)
                named = dict(headers)
                assert len(named) == len(headers), "no header twice"
                assert named["Message-ID"] == f"<{row.uid.hex}@carillon.example>"
                assert ("List-Unsubscribe" in named) is commercial
                assert ("Precedence" in named) is commercial
                assert "Bcc" not in named
                whole = in_lines.replace(b"=\r\n", b"").decode()
                clicks = re.findall(r"/c/([\w-]{75})/", whole)
                assert len(clicks) == 2 * measured
                assert {read_tracking(token).delivery for token in clicks} <= {row.uid}
                [leads] = set(re.findall(r"/preferences/([\w-]{75})/", whole))
                assert read_managing(leads).follower == person.uid
        for signer in signers:
            assert accepted(signer.sign(in_lines), signer)


def test_a_name_that_no_header_can_hold_is_refused_in_both_ways(rows: list[Row]) -> None:
    person: Any = rows[0].person
    for name in ("An\x00na Bell", "An\x85na Bell", "An\u2028na Bell"):
        person.name = name
        ends = [_end(rows[0], lines=lines) for lines in (True, False)]
        assert ends[0] == ends[1]


def _end(row: Row, *, lines: bool) -> str:
    """To whom it goes, or why it does not."""
    try:
        return dict(read(written(row, lines=lines))[0])["To"]
    except BadHeader as error:
        return str(error)
