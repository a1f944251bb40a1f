"""The verdict set-wise: the same rules as verdict.judge, as one SQL expression over many rows.

tests/followers/consent/test_verdict_sql.py compares the two on every combination of facts.
"""

from typing import Any

from django.db.models import (
    BooleanField,
    Case,
    CharField,
    FilteredRelation,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Coalesce

from apps.followers.consent.ladder import Ask, about_address, ladder_of
from apps.followers.consent.verdict import Reason, TypeFacts
from apps.followers.models import (
    EVERYWHERE,
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

# In-app messages are stored with us and need no address.
NEEDS_ADDRESS = frozenset(Channel) - {Channel.IN_APP}
# States of an address that a question asks for as they are.
STATES = {
    Ask.BOUNCED: AddressState.BOUNCED,
    Ask.UNCONFIRMED: AddressState.UNCONFIRMED,
    Ask.OFF: AddressState.OFF,
}
ALLOWING = (Reason.CRITICAL, Reason.LOCKED_ON, Reason.PREFERENCE_ON, Reason.DEFAULT_ON)


def type_facts(kind: NotificationType, channel: str) -> TypeFacts:
    """What the verdict needs to know of a notification type."""
    return TypeFacts(
        active=kind.active,
        offered=channel in kind.channels,
        critical=kind.category == Category.CRITICAL,
        commercial=kind.commercial,
        locked_on=channel in kind.locked_channels,
        default_on=channel in kind.default_channels,
        confirms=kind.confirms,
    )


def reason_case(kind: NotificationType, channel: str, *, follower: str, address: str) -> Case:
    """Give the Reason as SQL text, for rows from which `follower` and `address` lead to the tables.

    Both are lookups such as "follower" and "address" (a Delivery) or "" and "primary_address" (a
    Follower).
    """
    on_follower = ""
    outer = OuterRef("pk")
    if follower:
        on_follower = f"{follower}__"
        outer = OuterRef(f"{follower}_id")
    facts = type_facts(kind, channel)
    ladder = ladder_of(facts)
    asks = ladder.asks
    if channel in NEEDS_ADDRESS:
        asks = (*about_address(facts), *asks)

    def condition(ask: Ask) -> Q:
        match ask:
            case Ask.NO_ADDRESS:
                gone = Q(**{f"{address}__state": AddressState.GONE})
                return Q(**{f"{address}__id__isnull": True}) | gone
            case Ask.SUPPRESSED:
                suppressed = Suppression.objects.filter(
                    channel=channel_of_address(channel), key=OuterRef(f"{address}__key")
                )
                marked = Q(**{f"{address}__state": AddressState.SUPPRESSED})
                return _there_is(suppressed) | marked
            case Ask.UNSUBSCRIBED:
                return Q(**{f"{on_follower}subscribed": False})
            case Ask.MUTED:
                return _there_is(ChannelMute.objects.filter(follower=outer, channel=channel))
        return Q(**{f"{address}__state": STATES[ask]})

    whens = [When(condition(ask), then=Value(reason.value)) for ask, reason in asks]
    end: Value | Coalesce = Value(ladder.end.value)
    if ladder.own_choice:
        cell = Preference.objects.filter(follower=outer, notification_type=kind, channel=channel)
        chosen = Case(
            When(allowed=True, then=Value(Reason.PREFERENCE_ON.value)),
            default=Value(Reason.PREFERENCE_OFF.value),
            output_field=CharField(),
        )
        end = Coalesce(Subquery(cell.values_list(chosen)), Value(ladder.end.value))
    return Case(*whens, default=end, output_field=CharField())


def _there_is(rows: QuerySet[Any]) -> Q:
    """Ask whether there is such a row, of which a constraint allows one.

    Asked as a value and not as EXISTS: for an EXISTS PostgreSQL may read the whole table into a
    hash first, once for each claim, where one look into the index for each message is cheaper.
    """
    return Q(Subquery(rows.order_by().values_list(Value(True, output_field=BooleanField()))))


def with_verdict(
    followers: QuerySet[Follower],
    kind: NotificationType,
    channel: str,
    *,
    among: range | None = None,
) -> QuerySet[Any]:
    """Add `primary_address` (joined, may be absent) and `verdict` (a Reason) to each follower.

    On a channel that goes EVERYWHERE a follower comes once for each address that is not gone.

    `among`: the primary keys between which all of them lie. Said about the addresses too, because
    PostgreSQL does not conclude it, and would read the whole table for each slice.
    """
    primary = Q(addresses__channel=channel_of_address(channel))
    if channel in EVERYWHERE:
        alive = [state for state in AddressState if state != AddressState.GONE]
        primary &= Q(addresses__state__in=alive)
    else:
        primary &= Q(addresses__primary=True)
    if among is not None:
        primary &= Q(addresses__follower_id__gte=among.start, addresses__follower_id__lt=among.stop)
    joined = followers.annotate(primary_address=FilteredRelation("addresses", condition=primary))
    return joined.annotate(
        verdict=reason_case(kind, channel, follower="", address="primary_address")
    )
