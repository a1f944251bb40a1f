"""The matrix of preferences as pages show it: each cell with its state and the reason for it."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Q

from apps.channels.registry import providers
from apps.followers.consent.verdict import EXPLANATIONS, AddressFacts, FollowerFacts, Reason, judge
from apps.followers.consent.verdict_sql import NEEDS_ADDRESS, type_facts
from apps.followers.models import (
    EVERYWHERE,
    Address,
    AddressState,
    Category,
    Channel,
    ChannelMute,
    Follower,
    NotificationType,
    Preference,
    Suppression,
    channel_of_address,
)

Key = tuple[str, str]  # (type key, channel): one cell of the matrix


def always_on(kind: NotificationType, channel: str) -> bool:
    return kind.category == Category.CRITICAL or channel in kind.locked_channels


def own_words(follower: Follower) -> dict[Key, bool]:
    """The cells the follower spoke about; defaults are never among them."""
    rows = Preference.objects.filter(follower=follower).values_list(
        "notification_type__key", "channel", "allowed"
    )
    return {(key, channel): allowed for key, channel, allowed in rows}


def muted_channels(follower: Follower) -> set[str]:
    """The channels the follower switched off as a whole."""
    return set(ChannelMute.objects.filter(follower=follower).values_list("channel", flat=True))


# Which level of the law decided a cell.
SOURCES = {
    Reason.NO_ADDRESS: "address",
    Reason.ADDRESS_UNCONFIRMED: "address",
    Reason.ADDRESS_BOUNCED: "address",
    Reason.ADDRESS_SUPPRESSED: "address",
    Reason.ADDRESS_OFF: "address",
    Reason.TYPE_INACTIVE: "type",
    Reason.CHANNEL_NOT_OFFERED: "type",
    Reason.CRITICAL: "type",
    Reason.LOCKED_ON: "admin",
    Reason.UNSUBSCRIBED: "follower",
    Reason.CHANNEL_OFF: "channel",
    Reason.PREFERENCE_ON: "cell",
    Reason.PREFERENCE_OFF: "cell",
    Reason.DEFAULT_ON: "default",
    Reason.DEFAULT_OFF: "default",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One (type, channel).

    `on` is what happens today; `wanted` is what the cell itself says, own word or default.
    """

    channel: str
    label: str
    offered: bool
    on: bool
    wanted: bool
    reason: Reason
    explanation: str
    source: str  # address, type, admin, follower, channel, cell, default
    own: bool | None
    editable: bool


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """One active notification type in the follower's language;
    every row has the same channels in the same order.
    """

    key: str
    name: str
    description: str
    category: str
    commercial: bool
    listed: bool  # in the preference center
    cells: list[Cell]


def matrix(follower: Follower, language: str = "en") -> list[MatrixRow]:
    """Show all active types with what reaches this follower on each channel, and why.

    Columns are the channels some type offers and some wired provider can send on.
    """
    kinds = list(NotificationType.objects.filter(active=True))
    offered = {channel for kind in kinds for channel in kind.channels}
    able = {provider.channel for provider in providers()}
    channels = [each for each in Channel if each in able and each in offered]
    addresses = _address_facts(follower, channels)
    own = own_words(follower)
    muted = muted_channels(follower)
    rows = []
    for kind in kinds:
        cells = []
        for channel in channels:
            word = own.get((kind.key, channel))
            said = FollowerFacts(follower.subscribed, channel in muted, word)
            cells.append(_cell(kind, channel, addresses[channel], said))
        name, description = words_of(kind, language)
        about = (kind.category, kind.commercial, kind.listed)
        rows.append(MatrixRow(kind.key, name, description, *about, cells))
    return rows


def _cell(
    kind: NotificationType, channel: Channel, address: AddressFacts, said: FollowerFacts
) -> Cell:
    facts = type_facts(kind, channel)
    verdict = judge(address, facts, said)
    forced = always_on(kind, channel)
    if forced:
        wanted = True
    elif said.own_choice is None:
        wanted = facts.default_on
    else:
        wanted = said.own_choice
    return Cell(
        channel=channel.value,
        label=str(channel.label),
        offered=facts.offered,
        on=verdict.allow,
        wanted=facts.offered and wanted,
        reason=verdict.reason,
        explanation=str(EXPLANATIONS[verdict.reason]),
        source=SOURCES[verdict.reason],
        own=said.own_choice,
        editable=facts.offered and not forced,
    )


def words_of(kind: NotificationType, language: str) -> tuple[str, str]:
    """Give name and description of a type: in pt-BR, then in pt, then the type's own."""
    for code in (language, language.split("-")[0]):
        translated = kind.translations.get(code)
        if translated:
            name = translated.get("name") or kind.name
            description = translated.get("description") or kind.description
            return name, description
    return kind.name, kind.description


def _address_facts(follower: Follower, channels: Iterable[Channel]) -> dict[str, AddressFacts]:
    usable: dict[str, Address] = {}
    for address in follower.addresses.filter(Q(primary=True) | Q(channel__in=EVERYWHERE)):
        if address.channel not in usable or address.state == AddressState.ACTIVE:
            usable[address.channel] = address
    facts = {}
    for channel in channels:
        place = channel_of_address(channel)
        found = usable.get(place)
        state = ""
        suppressed = False
        if found:
            state = found.state
            suppressed = Suppression.objects.filter(channel=place, key=found.key).exists()
        facts[channel.value] = AddressFacts(channel in NEEDS_ADDRESS, state, suppressed)
    return facts
