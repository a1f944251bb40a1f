"""Sentences that are stored with rows, in English, and read by each person in a language of their
own.
"""

from django.utils.translation import gettext_noop

from apps.lib.written import patterns, retold

# why Carillon has paused a send: safety/
REFUSED = gettext_noop(
    "{refused} of {tried} messages were refused, so Carillon has paused it. Look at the "
    "failed messages, then resume or cancel it."
)
RESTORED = gettext_noop(
    "The database was restored from a backup: what it has waiting was perhaps sent since. "
    "An administrator says on the home page how to go on."
)
# why an account is out of use: accounts/breaker.py
MANY_ERRORS = gettext_noop("{errors} errors of the account in a row")
TRIES_FAILED = gettext_noop("{failed} of {tries} tries failed within a minute")
RECIPIENTS_REFUSED = gettext_noop("{refused} of {tries} recipients were refused within a minute")
# why a message could not be made, or where its sender died
FOLLOWER_DELETED = gettext_noop("The follower was deleted.")
FOLLOWER_GONE = gettext_noop("The follower is gone.")
ADDRESS_REMOVED = gettext_noop("The follower's address was removed.")
NO_TITLE = gettext_noop("An in-app message needs a title.")
SENDER_DIED = gettext_noop("The sender died while preparing this message ({crashes} of {most}).")
ANSWER_LOST = gettext_noop(
    "The sender died between handing the message over and reading the answer."
)
NOTES_LOST = gettext_noop(
    "The sender died, and its notes are damaged or lost: perhaps the message left."
)

_STORED = (
    REFUSED,
    RESTORED,
    MANY_ERRORS,
    TRIES_FAILED,
    RECIPIENTS_REFUSED,
    FOLLOWER_DELETED,
    FOLLOWER_GONE,
    ADDRESS_REMOVED,
    NO_TITLE,
    SENDER_DIED,
    ANSWER_LOST,
    NOTES_LOST,
)


_PATTERNS = patterns(_STORED, value=r"[\d,]{1,20}")


def in_words(stored: str) -> str:
    """A stored sentence in the reader's language; what is none of ours stays as it is."""
    return retold(stored, _PATTERNS)
