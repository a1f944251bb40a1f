"""Read the product's own docs inside it: docs/*.md as pages, with their pictures.

The files are those of this version, so that what staff read is true of what runs.
"""

import posixpath
import re
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from django.conf import settings
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

from apps.accounts.permissions import Capability, requires

# What most people look for comes first; what is not named here follows by its address.
FIRST = ("use", "operate", "api", "consent", "reliability", "performance")
PICTURES = {".png": "image/png", ".svg": "image/svg+xml"}
# A scheme, or two slashes: an address that leads somewhere else.
_ABROAD = re.compile(r"[a-z][a-z0-9+.-]*:|//", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Section:
    """A heading of the second level, as the page's table of contents shows it."""

    anchor: str
    title: str


@dataclass(frozen=True, slots=True)
class Chapter:
    """One file of docs/. `address` is its path without the ending, such as `decisions/README`."""

    address: str
    title: str
    lead: str  # its first paragraph, as text
    sections: tuple[Section, ...]
    html: SafeString

    @property
    def url(self) -> str:
        return reverse("dashboard:handbook-chapter", args=[self.address])


@cache
def chapters() -> dict[str, Chapter]:
    """All chapters by address, in the order in which they are listed; empty without docs/."""
    folder = _folder()
    addresses = []
    for file in sorted(folder.rglob("*.md")):
        name = file.relative_to(folder).with_suffix("")
        addresses.append(name.as_posix())
    addresses.sort(key=_place)
    known = frozenset(addresses)
    found = {}
    for address in addresses:
        text = (folder / f"{address}.md").read_text(encoding="utf-8")
        found[address] = _read(address, text, known=known)
    return found


def _folder() -> Path:
    return Path(settings.BASE_DIR) / "docs"


def _place(address: str) -> tuple[bool, int, str]:
    """Put the named ones first and a folder's pages last."""
    if address in FIRST:
        return False, FIRST.index(address), address
    return "/" in address, len(FIRST), address


def _read(address: str, text: str, *, known: frozenset[str]) -> Chapter:
    """Turn a file into a chapter. HTML in it stays text: it is written in Markdown alone."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(text)
    title, body = _titled(tokens, otherwise=address)
    lead = ""
    sections = []
    taken: dict[str, int] = {}
    for before, token in pairwise(body):
        if before.type == "heading_open":
            words = _plain(token)
            anchor = _anchor(words, taken)
            before.attrSet("id", anchor)
            if before.tag == "h2":
                sections.append(Section(anchor, words))
        elif before.type == "paragraph_open":
            lead = lead or _plain(token)
        elif before.type == "table_open":
            before.attrSet("class", "table")
        if token.type == "inline":
            _lead_inside(token, address=address, known=known)
    html = markdown.renderer.render(body, markdown.options, {})
    # every value in it was escaped by the renderer, which takes no HTML
    return Chapter(address, title, lead, tuple(sections), mark_safe(html))  # noqa: S308


def _titled(tokens: list[Token], *, otherwise: str) -> tuple[str, list[Token]]:
    """Split the heading that opens a file (three tokens) from what follows."""
    if tokens and tokens[0].tag == "h1":
        return _plain(tokens[1]), tokens[3:]
    return otherwise, tokens


def _plain(inline: Token) -> str:
    """Give a line's words without its marks."""
    words = []
    for child in inline.children or []:
        if child.type == "softbreak":
            words.append(" ")
        elif child.type in ("text", "code_inline"):
            words.append(child.content)
    return "".join(words)


def _anchor(words: str, taken: dict[str, int]) -> str:
    """Name a heading as the forges do, so that links of the files work in both places."""
    kept = re.sub(r"[^\w\- ]", "", words.lower())
    anchor = kept.replace(" ", "-")
    times = taken.get(anchor, 0)
    taken[anchor] = times + 1
    if times:
        return f"{anchor}-{times}"
    return anchor


def _lead_inside(inline: Token, *, address: str, known: frozenset[str]) -> None:
    """Let links and pictures of a line lead to pages of ours; what has no page is no link."""
    kept = []
    closing = []  # for each open link, whether it stayed one
    for child in inline.children or []:
        if child.type == "link_open":
            target = _target(str(child.attrs["href"]), address=address, known=known)
            closing.append(bool(target))
            if not target:
                continue
            child.attrSet("href", target)
        elif child.type == "link_close":
            if not closing.pop():
                continue
        elif child.type == "image":
            name = posixpath.basename(str(child.attrs["src"]))
            child.attrSet("src", reverse("dashboard:handbook-picture", args=[name]))
        kept.append(child)
    inline.children = kept


def _target(href: str, *, address: str, known: frozenset[str]) -> str:
    """Give the address of the page that a link of a file means; "" where there is none."""
    if href.startswith("#") or _ABROAD.match(href):
        return href
    file, _, anchor = href.partition("#")
    beside = posixpath.dirname(address)
    name = posixpath.normpath(posixpath.join(beside, file))
    name = name.removesuffix(".md")
    if name not in known:
        return ""
    url = reverse("dashboard:handbook-chapter", args=[name])
    if anchor:
        url += f"#{anchor}"
    return url


# ------------------------------------------------------------------ pages
@requires(Capability.VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    listed = []
    for chapter in chapters().values():
        if "/" not in chapter.address:
            listed.append(chapter)
    return render(request, "dashboard/shell/handbook/index.html", {"chapters": listed})


@requires(Capability.VIEW)
@require_safe
def chapter(request: HttpRequest, address: str) -> HttpResponse:
    if address not in chapters():
        raise Http404(_("There is no such chapter."))
    context = {"chapter": chapters()[address]}
    return render(request, "dashboard/shell/handbook/chapter.html", context)


@requires(Capability.VIEW)
@require_safe
def picture(request: HttpRequest, name: str) -> FileResponse:
    pictures = _folder() / "pictures"
    known = {file.name: file for file in pictures.glob("*") if file.suffix in PICTURES}
    if name not in known:
        raise Http404(_("There is no such picture."))
    file = known[name]
    return FileResponse(file.open("rb"), content_type=PICTURES[file.suffix])


urlpatterns = [
    path("help/", index, name="handbook"),
    path("help/pictures/<str:name>", picture, name="handbook-picture"),
    path("help/<path:address>/", chapter, name="handbook-chapter"),
]
