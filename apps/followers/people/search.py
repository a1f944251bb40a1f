"""The list of followers, for pages, API and commands alike: the same filters, the same order,
no query per row.
"""

from collections.abc import Iterable

from django.db.models import Q, QuerySet

from apps.followers.models import Follower, Tagging
from apps.followers.people.contacts import find


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
    in `contacts.find`. Tags are asked for in subqueries, so that nobody is listed twice.
    """
    rows = find(search)
    if subscribed is not None:
        rows = rows.filter(subscribed=subscribed)
    if language:
        rows = rows.filter(Q(language__iexact=language) | Q(language__istartswith=f"{language}-"))
    for slug in tags:
        rows = rows.filter(pk__in=Tagging.objects.filter(tag__slug=slug).values("follower"))
    return rows.order_by("-pk").prefetch_related("addresses", "tags")
