"""The verdict over a whole crowd: text for one statement that joins what it asks about.

`verdict_sql` asks the suppression list, mutes and preferences with a look into an index for each
row, which is right for a claim of hundreds. Over a million people the same looks took a minute;
here each table is joined once, so that the database may read it once.

The statement is over people `p (id, language, subscribed)`. A channel adds `joins`, `keys` that it
is grouped by and `sums`; `read` tells what a group of the answer means. Everything that stands in
the text is a name, number or word of ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from apps.followers.consent.ladder import ABOUT_ADDRESS, Ask, about_address, ladder_of
from apps.followers.consent.verdict import Reason
from apps.followers.consent.verdict_sql import ALLOWING, NEEDS_ADDRESS, STATES, type_facts
from apps.followers.models import (
    EVERYWHERE,
    Address,
    AddressState,
    ChannelMute,
    NotificationType,
    Preference,
    Suppression,
    channel_of_address,
)

_REASONS = list(Reason)  # numbers are grouped faster than words
_CODES = {reason: code for code, reason in enumerate(_REASONS)}
_UNFIT = [(ask, reason) for ask, reason in ABOUT_ADDRESS if ask is not Ask.NO_ADDRESS]


class _Devices(IntEnum):
    """How a follower stands on a channel on which each of many addresses gets the message."""

    NONE = 0
    ALL_UNFIT = 1
    SOME_FIT = 2


@dataclass(frozen=True, slots=True)
class Found:
    """What a group of people means: `messages` of theirs are decided by `reason`.

    `all_of_them`: each of the people has one.
    """

    reason: Reason
    messages: int
    all_of_them: bool


@dataclass(frozen=True, slots=True)
class Joined:
    """A channel's part of the statement."""

    joins: tuple[str, ...]
    keys: tuple[str, ...]
    sums: tuple[str, ...]

    def read(self, keys: Sequence[int], sums: Sequence[int], people: int) -> list[Found]:
        """Tell what happens to a group of `people` who are alike in `keys`."""
        reason = _REASONS[keys[0]]
        if not self.sums:
            return [Found(reason, people, True)]
        standing = _Devices(keys[1])
        if standing is _Devices.NONE:
            return [Found(Reason.NO_ADDRESS, people, True)]
        fit, *unfit = sums
        found = [Found(reason, fit, standing is _Devices.SOME_FIT)]
        for (_, why), count in zip(_UNFIT, unfit, strict=True):
            found.append(Found(why, count, False))
        return [each for each in found if each.messages]

    def gets(self, keys: Sequence[int]) -> bool:
        """Whether people who are alike in `keys` get a message on the channel."""
        is_fit = not self.sums or keys[1] == _Devices.SOME_FIT
        return is_fit and _REASONS[keys[0]] in ALLOWING


def joined(kind: NotificationType, channel: str, *, number: int) -> Joined:
    """Write a channel's part; `number` tells its tables from those of others."""
    facts = type_facts(kind, channel)
    ladder = ladder_of(facts)
    asks = ladder.asks
    joins = []
    one_address = channel in NEEDS_ADDRESS and channel not in EVERYWHERE
    if one_address:
        joins += _address(channel, number)
        asks = (*about_address(facts), *asks)
    of_person = f"{{alias}}.follower_id = p.id AND {{alias}}.channel = '{channel}'"
    if (Ask.MUTED, Reason.CHANNEL_OFF) in asks:
        on = of_person.format(alias=f"m{number}")
        joins.append(f"LEFT JOIN {ChannelMute._meta.db_table} m{number} ON {on}")
    whens = [f"WHEN {_condition(ask, number)} THEN {_CODES[reason]}" for ask, reason in asks]
    if ladder.own_choice:
        on = of_person.format(alias=f"c{number}")
        of_type = f"c{number}.notification_type_id = {int(kind.pk)}"
        table = Preference._meta.db_table
        joins.append(f"LEFT JOIN {table} c{number} ON {on} AND {of_type}")
        whens.append(f"WHEN c{number}.allowed THEN {_CODES[Reason.PREFERENCE_ON]}")
        whens.append(f"WHEN NOT c{number}.allowed THEN {_CODES[Reason.PREFERENCE_OFF]}")
    reason = str(_CODES[ladder.end])
    if whens:
        reason = f"CASE {' '.join(whens)} ELSE {reason} END"
    if channel not in EVERYWHERE:
        return Joined(joins=tuple(joins), keys=(reason,), sums=())
    joins.append(_devices(channel, number, {ask for ask, _ in about_address(facts)}))
    standing = (
        f"CASE WHEN d{number}.follower_id IS NULL THEN {_Devices.NONE:d} "
        f"WHEN d{number}.fit > 0 THEN {_Devices.SOME_FIT:d} ELSE {_Devices.ALL_UNFIT:d} END"
    )
    sums = ("fit", *(ask.value for ask, _ in _UNFIT))
    return Joined(
        joins=tuple(joins),
        keys=(reason, standing),
        sums=tuple(f"d{number}.{name}" for name in sums),
    )


def _address(channel: str, number: int) -> list[str]:
    """Join the primary address, and its entry in the suppression list."""
    a = f"a{number}"
    of_channel = f"{a}.channel = '{channel_of_address(channel)}' AND {a}.\"primary\""
    return [
        f"LEFT JOIN {Address._meta.db_table} {a} ON {a}.follower_id = p.id AND {of_channel}",
        _suppression(channel, number),
    ]


def _suppression(channel: str, number: int) -> str:
    on = f"s{number}.channel = '{channel_of_address(channel)}' AND s{number}.key = a{number}.key"
    return f"LEFT JOIN {Suppression._meta.db_table} s{number} ON {on}"


def _devices(channel: str, number: int, asks: set[Ask]) -> str:
    """Join how many addresses of each kind a follower has, a row for each follower who has one."""
    whens = [
        f"WHEN {_condition(ask, number)} THEN {place}"
        for place, (ask, _) in enumerate(_UNFIT, start=1)
        if ask in asks
    ]
    counts = []
    for place, name in enumerate(["fit", *(ask.value for ask, _ in _UNFIT)]):
        counts.append(f"sum(CASE WHEN kind = {place} THEN 1 ELSE 0 END) AS {name}")
    a = f"a{number}"
    of_channel = f"{a}.channel = '{channel_of_address(channel)}'"
    alive = f"{of_channel} AND {a}.state <> '{AddressState.GONE}'"
    one_by_one = (
        f"SELECT {a}.follower_id, CASE {' '.join(whens)} ELSE 0 END AS kind "  # noqa: S608  # ours
        f"FROM {Address._meta.db_table} {a} {_suppression(channel, number)} WHERE {alive}"
    )
    told = ", ".join(["follower_id", *counts])
    counted = f"SELECT {told} FROM ({one_by_one}) o GROUP BY follower_id"  # noqa: S608  # ours
    return f"LEFT JOIN ({counted}) d{number} ON d{number}.follower_id = p.id"


def _condition(ask: Ask, number: int) -> str:
    match ask:
        case Ask.NO_ADDRESS:
            return f"a{number}.id IS NULL OR a{number}.state = '{AddressState.GONE}'"
        case Ask.SUPPRESSED:
            return f"s{number}.id IS NOT NULL OR a{number}.state = '{AddressState.SUPPRESSED}'"
        case Ask.UNSUBSCRIBED:
            return "NOT p.subscribed"
        case Ask.MUTED:
            return f"m{number}.id IS NOT NULL"
    return f"a{number}.state = '{STATES[ask]}'"
