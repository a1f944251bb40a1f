"""The list of followers, for pages, API and commands alike: the same filters, the same order,
no query per row.
"""

from collections.abc import Iterable

from django.db.models import Q, QuerySet

from apps.followers.models import EVERYWHERE, Address, Channel, Follower, Tagging


def followers(
    *,
    subscribed: bool | None = None,
    tags: Iterable[str] = (),
    language: str = "",
    search: str = "",
) -> QuerySet[Follower]:
    """Followers that match everything given, newest first,
    with addresses and tags at hand (3 queries in all).

    `tags` are slugs, and all of them are needed. `language` "pt" takes pt-BR with it. `search` as
    in `find`. Tags are asked for in subqueries, so that nobody is listed twice.
    """
    rows = find(search)
    if subscribed is not None:
        rows = rows.filter(subscribed=subscribed)
    if language:
        rows = rows.filter(Q(language__iexact=language) | Q(language__istartswith=f"{language}-"))
    for slug in tags:
        rows = rows.filter(pk__in=Tagging.objects.filter(tag__slug=slug).values("follower"))
    return rows.order_by("-pk").prefetch_related("addresses", "tags")


def find(text: str) -> QuerySet[Follower]:
    """Find followers whose name, email, phone or external id contains the text, in any case;
    all of them for "".
    """
    text = " ".join(text.split())
    if not text:
        return Follower.objects.all()
    wanted = Q(external_id__icontains=text) | Q(name__icontains=text)
    # the keys of devices and webhooks are digests
    keys = ~Q(channel__in=EVERYWHERE) & Q(key__contains=text.casefold())
    digits = "".join(char for char in text if char.isdecimal())
    if len(digits) >= 3 and not any(char.isalpha() for char in text):
        keys |= Q(channel=Channel.SMS, key__contains=digits)
    holders = Address.objects.filter(keys).values("follower")
    return Follower.objects.filter(wanted | Q(pk__in=holders))
