"""Which languages the followers have: asked of the index, one look for each of them."""

from apps.followers.models import Follower
from apps.lib.sql.raw import run

MOST = 1000  # more are no languages
_TABLE = Follower._meta.db_table
# Each step finds the next language behind the one before: as many looks as there are languages,
# where DISTINCT reads all followers.
_IN_USE = (
    "WITH RECURSIVE found(language) AS ("  # noqa: S608  # our name
    f"SELECT min(language) FROM {_TABLE} UNION ALL"
    f" SELECT (SELECT min(language) FROM {_TABLE} WHERE language > found.language) FROM found"
    " WHERE found.language IS NOT NULL"
    f") SELECT language FROM found WHERE language IS NOT NULL LIMIT {MOST}"
)


def languages_in_use() -> list[str]:
    """The languages that followers have, in order."""
    return [language for (language,) in run(_IN_USE, [])]


def languages_like(asked: str) -> list[str]:
    """Name those that are meant: "pt" takes pt-BR with it; written in any case."""
    wanted = asked.strip().replace("_", "-").casefold()
    spelled = {tag: tag.casefold() for tag in languages_in_use()}
    begins = f"{wanted}-"
    return [tag for tag, low in spelled.items() if low == wanted or low.startswith(begins)]
