"""The forms of texts, as regular expressions that JSON Schema and Python read alike."""

from apps.campaigns.events.conditions import MAX_TEXT, ROOTS

# what is said of a follower: every kind of space becomes a plain one, and other control characters
# are refused
_CONTROLS = r"\u0000-\u0008\u000e-\u001b\u007f-\u0084\u0086-\u009f"
_BLANKS = r"\s\u001c-\u001f\u0085"
_INVISIBLE = r"\u200b\ufeff"  # pasted along; dropped at the ends
LINE = f"^[^{_CONTROLS}]*$"
WORDS = f"^[^{_CONTROLS}]*[^{_BLANKS}{_CONTROLS}][^{_CONTROLS}]*$"
NAME = f"^[^{_CONTROLS}]*[^{_BLANKS}{_INVISIBLE}{_CONTROLS}][^{_CONTROLS}]*$"
VISIBLE = f"[^{_BLANKS}]"
SEEN = f"[^{_BLANKS}{_INVISIBLE}]"
KEY = "^[A-Za-z0-9_-]+$"
SLUG = f"^[^/{_BLANKS}{_CONTROLS}]+$"  # of a tag: letters of any language
LANGUAGE = (
    r"^([A-Za-z]{2,3}([-_][A-Za-z]{4})?([-_]([A-Za-z]{2}|[0-9]{3}))?"
    r"([-_]([A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*)?$"
)
PHONE = r"^\+[0-9][0-9 ()/.-]{5,}$"
PATH = rf"^({'|'.join(ROOTS)})(\.[^.]+)+$"
LONGEST_PATH = MAX_TEXT
APNS_HEX = r"^([0-9A-Fa-f]{2}){16,100}$"
_HOST = r"(\[[0-9A-Fa-f:.]+\]|[^\u0000-\u0020\u007f/?#@:\[\]]+)"
WEB_ADDRESS = rf"^[Hh][Tt][Tt][Pp][Ss]://{_HOST}(:[0-9]{{1,5}})?([/?#][!-~]*)?$"


def _items(value: str) -> str:
    """A field of a cron line: values, ranges and steps, with commas between."""
    item = rf"(\*|{value}(-{value})?)(/[1-9][0-9]?)?"
    return rf"{item}(,{item})*"


def _cron() -> str:
    minute = _items("([0-5]?[0-9])")
    hour = _items("([01]?[0-9]|2[0-3])")
    day = rf"(LW?|{_items('(0?[1-9]|[12][0-9]|3[01])')})"
    months = "JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC"
    month = _items(f"(0?[1-9]|1[0-2]|{months}|{months.lower()})")
    weekdays = "SUN|MON|TUE|WED|THU|FRI|SAT"
    weekday = rf"([0-7](#[1-5]|L)|{_items(f'([0-7]|{weekdays}|{weekdays.lower()})')})"
    return rf"^{minute} +{hour} +{day} +{month} +{weekday}$"


CRON = _cron()
