"""A mail in a frame: a stranger's page that may show pictures and its own styles, and open links
elsewhere.
"""

from typing import Any

from csp.constants import NONE, SELF
from csp.decorators import csp
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.views.decorators.clickjacking import xframe_options_sameorigin

from apps.content.read_html import TokenKind, tags
from apps.content.render import Rendered

# No script, no form, no plug-in, nothing of ours within reach: `sandbox` gives the page an origin
# of its own, also where somebody opens its address outside of the frame.
POLICY = {
    "default-src": [NONE],
    "style-src": ["'unsafe-inline'"],
    "img-src": ["data:", "https:", "http:"],
    "form-action": [NONE],
    "base-uri": [NONE],
    "frame-ancestors": [SELF],
    "sandbox": ["allow-popups", "allow-popups-to-escape-sandbox"],
}
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
    guarded: Any = csp(POLICY)(lambda _request: HttpResponse(_opening_elsewhere(html)))
    response: HttpResponse = xframe_options_sameorigin(guarded)(request)
    return response


def _opening_elsewhere(html: str) -> str:
    """Let links open beside our page and not in its frame."""
    # after <head>: in front of the doctype it would put the browser into quirks mode
    starts = (tag for tag in tags(html) if tag.kind is TokenKind.START and tag.name == "head")
    at = 0
    if head := next(starts, None):
        at = head.end
    return html[:at] + _ELSEWHERE + html[at:]
