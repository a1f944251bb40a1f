"""How many followers hold each tag: counted while that is quick, and about so many above that."""

from collections import defaultdict

from django.db import connection

from apps.followers.models import Tag, Tagging
from apps.lib.sql.keyset import Count, in_round
from apps.lib.sql.raw import run

EXACT = 2000  # holders that are counted
_TAGGING = Tagging._meta.db_table
_COUNTED = (
    "SELECT id, (SELECT count(*) FROM"  # noqa: S608  # names of ours
    f" (SELECT 1 FROM {_TAGGING} WHERE tag_id = tag.id LIMIT {EXACT + 1}) AS held)"
    f" FROM {Tag._meta.db_table} AS tag"
)
# What PostgreSQL keeps of the tags that most have, from its last look: shares of all taggings.
_SHARES = (
    "SELECT value, share * reltuples FROM pg_class, pg_stats,"  # noqa: S608  # names of ours
    " unnest(most_common_vals::text::bigint[], most_common_freqs) AS common(value, share)"
    f" WHERE pg_class.oid = '{_TAGGING}'::regclass AND attname = 'tag_id'"
    f" AND schemaname = current_schema() AND tablename = '{_TAGGING}'"
)


def held_by_tag() -> defaultdict[int, Count]:
    """Say how many hold each tag, by its primary key; no one where it was made since."""
    held = defaultdict(lambda: Count(0, more=False))
    for tag, number in run(_COUNTED, []):
        held[tag] = Count(min(number, EXACT), more=number > EXACT)
    if not any(count.more for count in held.values()) or connection.vendor != "postgresql":
        return held
    for tag, number in run(_SHARES, []):
        if held[tag].more:
            held[tag] = Count(EXACT, more=True, about=in_round(number))
    return held
