"""What a message consists of on each channel.

Declared once, read by forms, lint, rendering and the API.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class PartKind(StrEnum):
    """How a part is written, and so how it is rendered."""

    LINE = "line"  # one line of plain text: subject, title
    TEXT = "text"  # plain text of many lines
    HTML = "html"  # values are escaped
    LINK = "link"  # a web address or a path of this site


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that is written for a channel, such as the subject of an email."""

    name: str
    label: str | Promise
    kind: PartKind


@dataclass(frozen=True, slots=True)
class ChannelParts:
    """The parts of one channel; of each group in `required` at least one must have words."""

    label: str | Promise
    parts: tuple[Part, ...]
    required: tuple[tuple[str, ...], ...]

    def __getitem__(self, name: str) -> Part:
        return next(part for part in self.parts if part.name == name)


_TITLE = Part("title", _("Title"), PartKind.LINE)
_BODY = Part("body", _("Body"), PartKind.TEXT)
_LINK = Part("link", _("Link"), PartKind.LINK)
_PICTURE = Part("image", _("Picture"), PartKind.LINK)

_EMAIL = ChannelParts(
    label=pgettext_lazy("channel", "Email"),
    parts=(
        Part("subject", _("Subject"), PartKind.LINE),
        Part("preheader", _("Preview line"), PartKind.LINE),
        Part("html", "HTML", PartKind.HTML),
        Part("text", _("Text"), PartKind.TEXT),
    ),
    required=(("subject",), ("html", "text")),
)
_IN_APP = ChannelParts(
    label=_("In-app"),
    parts=(_TITLE, _BODY, _LINK),
    required=(("title",),),
)
_SMS = ChannelParts(
    label="SMS",
    parts=(
        Part("body", _("Message"), PartKind.TEXT),
        Part("media", _("Picture (MMS)"), PartKind.LINK),
    ),
    required=(("body", "media"),),
)
_PUSH = ChannelParts(
    label=_("Mobile push"),
    parts=(_TITLE, _BODY, _LINK, _PICTURE),
    required=(("title", "body"),),
)
_VOICE = ChannelParts(
    label=_("Voice call"),
    parts=(Part("body", _("Spoken text"), PartKind.TEXT),),
    required=(("body",),),
)

# A channel more is an entry more.
CHANNEL_PARTS = {
    "email": _EMAIL,
    "in_app": _IN_APP,
    "sms": _SMS,
    "push": _PUSH,
    "web_push": replace(_PUSH, label=_("Web push")),
    "webhook": replace(_PUSH, label=_("Webhook"), parts=(_TITLE, _BODY, _LINK)),
    "voice": _VOICE,
}
