"""Log lines without the tokens of links: who reads a log must not hold the keys to people's pages.

All lines leave through this formatter, so that it does not matter who writes an address: Django for
a refused request, a traceback, or the web server's access log.
"""

import logging
import re

MASK = "[token]"
# as apps/subscriptions/urls.py and apps/content/links.py write them, in an address or a query
_PLACES = re.compile(r"(/(?:p/[\w-]+|[co])/)[^/?#\s\"'<>]+|([?&]undo=)[^&#\s\"'<>]+")
# and what looks like one (lib/tokens.py), or like an API key, wherever it stands: addresses are
# mistyped, and quoted within others
_SIGNED = re.compile(r"(?<![\w.-])[\w.-]{20,}+(?::|%3A)[\w-]{6}(?::|%3A)[\w-]{43}", re.ASCII)
_LONG = re.compile(r"(?<![\w-])[\w-]{70,}+", re.ASCII)


def mask(text: str) -> str:
    """Put MASK in the place of each token."""
    text = _PLACES.sub(lambda found: (found[1] or found[2]) + MASK, text)
    text = _SIGNED.sub(MASK, text)
    return _LONG.sub(MASK, text)


class MaskedFormatter(logging.Formatter):
    """Mask the whole line, traceback and all."""

    def format(self, record: logging.LogRecord) -> str:
        return mask(super().format(record))
