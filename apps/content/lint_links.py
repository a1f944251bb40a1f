"""Find what leads nowhere in a mail: dead links, missing pictures, other programs' merge tags.

What a reader would see or click in vain for certain keeps a version from being published; the rest
warns.
"""

import re
from collections.abc import Iterator

from django.utils.translation import gettext as _

from apps.content.problems import TemplateProblem
from apps.content.read_html import LIQUID, Attribute, Token, TokenKind, tags

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_IN_WORDS = re.compile(r"[\t\n\r]+")  # browsers skip these in an address
_HOST = re.compile(r"[\w-]+(?:\.[\w-]+)+(?:[/?#:]|$)")
# `https:/shop.example`, `htp://shop.example`: a web address, typed wrong
_MISTYPED = re.compile(r"(?!https?://)(?:[htps]{2,7}|https?):(/{0,3})(?=[^/]+\.)", re.IGNORECASE)
_OWN_MACHINE = re.compile(
    r"https?://(?:[\w-]+\.)*(?:localhost|127(?:\.\d+){3}|\[::1\]|0\.0\.0\.0)(?=[/:?#]|$)",
    re.IGNORECASE,
)
_SCRIPT = ("javascript:", "vbscript:", "data:text")
_PICTURES = {"img": "src", "table": "background", "td": "background", "body": "background"}

# Merge tags as the field writes them. None is longer than this, so each is looked for in a few
# steps from where it begins.
_MERGE_TAGS = re.compile(
    r"\*\|[^|*\s][^|*\n]{0,80}\|\*"  # Mailchimp
    r"|\{\{\{[^{}\n]{1,80}\}\}\}"  # Mustache, Handlebars
    r"|%%[A-Za-z][\w.]{0,80}%%"  # Salesforce
    r"|%(?:recipient|mailing_list)\.[\w.-]{1,80}%|%(?:tag_)?unsubscribe_(?:url|email)%"  # Mailgun
    r"|<%=? ?[\w.-]{1,80} ?%>"  # SendGrid
    r"|(?<!\{)\{(?:contactfield=|unsubscribe|webview|ownerfield=)[\w=-]{0,80}\}"  # Mautic
)
_PERSONAL = r"[A-Z_]{0,40}(?:NAME|EMAIL|PHONE|UNSUBSCRIBE|COMPANY|ADDRESS)[A-Z_]{0,40}"
_DOUBTFUL = re.compile(
    r"\[\[[A-Za-z][^\[\]\n]{0,80}\]\]|[$#]\{[\w.]{1,80}\}"
    rf"|%{_PERSONAL}%|(?<!\[)\[{_PERSONAL}\](?!\])"  # ActiveCampaign; Salesforce, mail merges
)
# What they usually mean, by what their name has in it.
_INSTEAD = (
    ("unsub", "{{ links.unsubscribe }}"),
    ("opt_out", "{{ links.unsubscribe }}"),
    ("profile", "{{ links.preferences }}"),
    ("preference", "{{ links.preferences }}"),
    ("fname", "{{ follower.first_name }}"),
    ("first", "{{ follower.first_name }}"),
    ("email", "{{ follower.email }}"),
    ("phone", "{{ follower.phone }}"),
    ("address", "{{ site.address }}"),
    ("company", "{{ site.name }}"),
    ("name", "{{ follower.name }}"),
)


def merge_tag_problems(where: str, source: str) -> Iterator[TemplateProblem]:
    """Find the merge tags of other programs, which readers would see as they stand."""
    lines = _Lines(source)
    for pattern, warns in ((_MERGE_TAGS, False), (_DOUBTFUL, True)):
        lines.start_again()
        for found in pattern.finditer(source):
            said = _("{tag} is a merge tag of another system, and is sent as it stands.")
            message = f"{said.format(tag=found[0])} {_instead(found[0])}"
            yield TemplateProblem(where, lines.at(found.start()), message, warns)


def _instead(merge_tag: str) -> str:
    name = merge_tag.lower()
    known = next((here for there, here in _INSTEAD if there in name), None)
    if known:
        return _("Write {words} instead.").format(words=known)
    word = re.sub(r"\W+", "_", name).strip("_")
    said = _("Write {words} or another value instead.")
    return said.format(words=f"{{{{ follower.metadata.{word} }}}}")


def link_problems(where: str, source: str) -> Iterator[TemplateProblem]:
    """Find links and pictures that work in no mail."""
    lines = _Lines(source)
    for tag in tags(source):
        if tag.kind is not TokenKind.START:
            continue
        said, warns = _about_link(tag) or _about_picture(tag) or ("", False)
        if said:
            yield TemplateProblem(where, lines.at(tag.start), said, warns)


def _about_link(tag: Token) -> tuple[str, bool] | None:
    href = tag.get("href")
    if tag.name not in ("a", "area") or href is None:
        return None
    address = _IN_WORDS.sub("", href.value).strip()
    shown = _shown(address)
    if address.lower().startswith(_SCRIPT):
        said = _("the link {link} runs a script, which no mail client does. Write a web address.")
        return said.format(link=shown), False
    if not address:
        return _("a link has no address. Write one that begins with https://, or remove it."), True
    if address == "#":
        return _("the link # leads nowhere yet. Write the address it should have."), True
    if address.startswith(("#", LIQUID)):
        return None
    if _SCHEME.match(address):
        return _about_web_address(address, _("the link {address} leads nowhere."))
    if "@" in address and "/" not in address:
        said = _("the link {link} has no beginning. Write mailto:{link}.")
        return said.format(link=shown), True
    said = _("the link {link} leads nowhere from a mail.").format(link=shown)
    return f"{said} {_whole(address)}", True


def _about_picture(tag: Token) -> tuple[str, bool] | None:
    source: Attribute | None = None
    if tag.name in _PICTURES:
        source = tag.get(_PICTURES[tag.name])
    if source is None:
        return None
    address = source.value.strip()
    if address.startswith(LIQUID):
        return None
    if _SCHEME.match(address):
        return _about_web_address(address, _("the picture {address} is not found."))
    if not address:
        return _("a picture has no address. Write one that begins with https://."), True
    said = _("the picture {address} is not found from a mail.").format(address=_shown(address))
    return f"{said} {_whole(address)}", True


def _about_web_address(address: str, unfound: str) -> tuple[str, bool] | None:
    """Say what is wrong with a whole address; `unfound` says of one that it is not found."""
    shown = _shown(address)
    if mistyped := _MISTYPED.match(address):
        right = _shown(f"https://{address[mistyped.end() :]}")
        said = _("Write {address}.").format(address=right)
        return f"{unfound.format(address=shown)} {said}", True
    if _OWN_MACHINE.match(address):
        said = _(
            "{address} is found on your own machine only. Write the address that readers have."
        )
        return said.format(address=shown), True
    return None


def _whole(address: str) -> str:
    """Say what to write in the place of an address without its beginning."""
    shown = _shown(address)
    if address.startswith("//"):
        return _("Write {address}.").format(address=f"https:{shown}")
    if _HOST.match(address) and not address.startswith("."):
        return _("Write {address}.").format(address=f"https://{shown}")
    path = shown.lstrip("./")
    said = _("Write the whole address, such as {address}.")
    return said.format(address=f"{{{{ site.url }}}}/{path}")


def _shown(address: str) -> str:
    """Shorten an address for a sentence; Liquid in it is three dots."""
    short = re.sub(f"{LIQUID}+", "…", address)
    if len(short) > 60:
        return f"{short[:60]}…"
    return short


class _Lines:
    """The lines of places that come in the order of the source."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.start_again()

    def start_again(self) -> None:
        self.line = 1
        self.seen = 0

    def at(self, place: int) -> int:
        self.line += self.source.count("\n", self.seen, place)
        self.seen = place
        return self.line
