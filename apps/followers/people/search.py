"""The list of followers, for pages, API and commands alike: the same filters, the same order,
no query per row.

A search asks first whether somebody is exactly that, by unique indexes. Else it gathers those who
hold the text, by name and by address, through trigrams where PostgreSQL has them. Page and count go
on with their primary keys: the text is not looked for again.
"""

import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.followers.addresses import BadAddress, normalise
from apps.followers.fields.index import text_of
from apps.followers.models import (
    EVERYWHERE,
    Address,
    Channel,
    CustomField,
    Follower,
    Tag,
    Tagging,
)
from apps.followers.people.languages import languages_like
from apps.lib.sql import keyset
from apps.lib.sql.folding import Holds, fold

# A text that more people hold is looked for as the list is read, newest first: a page is soon full.
MANY = 2000
WHOLE = 3  # letters of a trigram; what is shorter is the beginning of a word
EVERYBODY = Follower.objects.all()
_REACHED = ~Q(channel__in=EVERYWHERE)  # the keys of devices and webhooks are digests


@dataclass(frozen=True, slots=True)
class Listed:
    """Followers, newest first, with addresses and tags at hand, and how many they are."""

    rows: QuerySet[Follower]
    count: keyset.Count


def followers(
    *,
    subscribed: bool | None = None,
    tags: Iterable[str] = (),
    language: str = "",
    search: str = "",
) -> QuerySet[Follower]:
    """Followers that match everything given, newest first,
    with addresses and tags at hand (3 queries in all; a search asks up to 4 more at once, and a tag
    one).

    `tags` are slugs, and all of them are needed. `language` "pt" takes pt-BR with it. `search` as
    in `find`. Tags are asked for in subqueries, so that nobody is listed twice.
    """
    rows, _many = _found(_filtered(subscribed, tags, language), search)
    return _in_order(rows)


def listed(*, subscribed: bool | None, tags: Iterable[str], language: str, search: str) -> Listed:
    """What `followers` gives, and how many: without looking for the text again."""
    rows, many = _found(_filtered(subscribed, tags, language), search)
    if many:
        return Listed(_in_order(rows), keyset.Count(MANY, more=True))
    return Listed(_in_order(rows), keyset.count(rows))


def find(text: str) -> QuerySet[Follower]:
    """Find the follower who has exactly this email, phone, external id or id; else those whose
    name, email, phone, external id or searchable custom field contains the text, whatever its
    case and accents.

    All of them for "". One or two letters are the beginning of a word.
    """
    rows, _many = _found(EVERYBODY, text)
    return rows.all()


def exactly(text: str) -> Q:
    """Say whose address, external id or id is exactly this; a phone in any form."""
    wanted = Q(external_id=text)
    for channel in (Channel.EMAIL, Channel.SMS):
        with suppress(BadAddress):
            _, key = normalise(channel, text)
            holder = Address.objects.filter(channel=channel, key=key)
            wanted |= Q(pk__in=list(holder.values_list("follower", flat=True)))
    with suppress(ValueError):
        wanted |= Q(uid=uuid.UUID(text))
    return wanted


def _filtered(subscribed: bool | None, tags: Iterable[str], language: str) -> QuerySet[Follower]:
    rows = EVERYBODY
    if subscribed is not None:
        rows = rows.filter(subscribed=subscribed)
    if language:
        rows = rows.filter(language__in=languages_like(language))
    for slug in tags:
        # the tag is looked up first: of one that it knows, PostgreSQL knows how many hold it
        tag = Tag.objects.filter(slug=slug).first()
        rows = rows.filter(pk__in=Tagging.objects.filter(tag=tag).values("follower"))
    return rows


def _in_order(rows: QuerySet[Follower]) -> QuerySet[Follower]:
    return rows.order_by("-pk").prefetch_related("addresses", "tags")


def _found(rows: QuerySet[Follower], text: str) -> tuple[QuerySet[Follower], bool]:
    """Narrow the rows to whom the text finds, and say whether they are too many to be gathered."""
    text = " ".join(text.split())
    if not text:
        return rows, False
    exact = list(Follower.objects.filter(exactly(text)).values_list("pk", flat=True))
    if exact:
        return rows.filter(pk__in=exact), False
    if _begins_a_word(text):
        by_name = Q(folded__holds=f" {fold(text)}")  # a blank stands before each word
        by_address = _REACHED & Q(key__startswith=text.casefold())
    else:
        by_name = Q(folded__holds=fold(text))
        by_address = _REACHED & _address_holds(text)
    by_name |= _field_holds(text)
    named = rows.filter(by_name).order_by("-pk").values_list("pk", flat=True)
    reached = Address.objects.filter(by_address)
    if rows is not EVERYBODY:
        reached = reached.filter(follower__in=rows)
    first = MANY // 4  # so many are gathered nevertheless: those of the first pages
    by_names = list(named[: MANY + 1])
    if len(by_names) > MANY:
        reached = reached.filter(follower__gte=by_names[first])
    holders = reached.order_by("-follower").values_list("follower", flat=True)
    by_addresses = list(holders[: MANY + 1])
    gathered = {*by_names, *by_addresses}
    # somebody may have many addresses that fit: rows are counted, not people
    if len(by_names) <= MANY and len(by_addresses) <= MANY and len(gathered) <= MANY:
        return Follower.objects.filter(pk__among=gathered), False
    since = max(each for found in (by_names, by_addresses) for each in found[first : first + 1])
    newest = {pk for pk in gathered if pk >= since}
    own = Address.objects.filter(by_address, follower=OuterRef("pk"))
    older = Q(pk__lt=since) & (by_name | Q(Exists(own)))
    return rows.filter(Q(pk__among=newest) | older), True


def _field_holds(text: str) -> Q:
    """Ask for a value of a custom field that is searchable."""
    wanted = Q()
    piece = fold(text)
    if _begins_a_word(text):
        piece = f" {piece}"
    for key in CustomField.objects.filter(searchable=True).values_list("key", flat=True):
        wanted |= Q(Holds(text_of(key), piece))
    return wanted


def _begins_a_word(text: str) -> bool:
    """Whether it is too short to look for inside words; a syllable of Chinese is a word."""
    return len(text) < WHOLE and text.isalpha() and text.upper() != text.lower()


def _address_holds(text: str) -> Q:
    """Ask for a key with the text in it, or with its digits where it may be a phone number."""
    wanted = Q(key__holds=text.casefold())
    digits = "".join(char for char in text if char.isdecimal()).lstrip("0")
    if len(digits) >= WHOLE and not any(char.isalpha() for char in text):
        wanted |= Q(channel=Channel.SMS, key__holds=digits)
    return wanted
