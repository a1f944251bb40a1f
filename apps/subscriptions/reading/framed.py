"""A mail in a frame: a stranger's page that may show pictures and its own styles, and open links
elsewhere.
"""

from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html

from apps.content.read_html import TokenKind, tags
from apps.content.render import Rendered
from apps.lib.network import strangers_page

# a link is followed beside our page, by a page like any other
_MAY = ("allow-popups", "allow-popups-to-escape-sandbox")
_ELSEWHERE = '<base target="_blank">'
_AS_TEXT = (
    '<!doctype html><html lang="{}"><head><title>{}</title>'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    "<style>:root{{color-scheme:light dark}}"
    "pre{{font:1rem/1.5 system-ui,sans-serif;white-space:pre-wrap;overflow-wrap:anywhere}}"
    "</style></head><body><pre>{}</pre></body></html>"
)


def framed(request: HttpRequest, copy: Rendered) -> HttpResponse:
    """Answer with the mail's own page; one without HTML has its text on it."""
    html = copy.parts.get("html", "")
    if not html.strip():
        parts = copy.parts
        html = format_html(_AS_TEXT, copy.language, parts["subject"], parts.get("text", ""))

    def page(_: HttpRequest) -> HttpResponse:
        return HttpResponse(_opening_elsewhere(html))

    return strangers_page.framed(page, may=_MAY)(request)


def _opening_elsewhere(html: str) -> str:
    """Let links open beside our page and not in its frame."""
    # after <head>: in front of the doctype it would put the browser into quirks mode
    starts = (tag for tag in tags(html) if tag.kind is TokenKind.START and tag.name == "head")
    at = 0
    if head := next(starts, None):
        at = head.end
    return html[:at] + _ELSEWHERE + html[at:]
