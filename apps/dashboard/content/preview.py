"""See a version as a chosen follower, language and channel before anyone gets it,
and send a real test of it.

Any page may show the panel: `{% include "dashboard/content/templates/_preview_here.html" with
version=version %}`.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ObjectDoesNotExist
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.actors import staff_actor, user_of
from apps.accounts.permissions import Capability, may, requires
from apps.channels.contract import Result
from apps.channels.mail.mime import BadHeader
from apps.channels.sms.segments import cost_of
from apps.content.channel_parts import CHANNEL_PARTS
from apps.content.models import Version
from apps.content.problems import RenderError
from apps.dashboard.content.template_forms import language_name
from apps.followers.models import Category, Channel, Follower, NotificationType
from apps.followers.people.find_follower import find_some, name_of
from apps.lib.crypto import Undecryptable
from apps.lib.network.strangers_page import framed
from apps.lib.refusals import Refused
from apps.notifications import preview

VIEWS = {
    "email": (("html", "HTML"), ("text", _("Text")), ("source", _("Exact bytes"))),
    "in_app": (("card", _("Card")),),
    "sms": (("phone", pgettext_lazy("device", "Phone")),),
}
SIZES = (("wide", _("Computer")), ("narrow", pgettext_lazy("device", "Phone")))
# What stands in where no message type is known yet: the strictest one,
# so that the footer shows all links.
SOME_TYPE = {
    "key": "preview",
    "name": "Preview",
    "category": Category.MARKETING,
    "commercial": True,
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What the person in front of the page wants to see."""

    version: Version
    notification_type: NotificationType
    data: dict[str, Any]
    follower: Follower | None
    others: list[Follower]  # also match what was typed
    text: str
    language: str  # "" = the follower's own
    channel: str
    view: str
    size: str

    def query(self, **changes: str) -> str:
        """Write the wish as a query string, with some names set otherwise."""
        follower = ""
        if self.follower:
            follower = str(self.follower.uid)
        values = {
            "follower": follower,
            "language": self.language,
            "channel": self.channel,
            "view": self.view,
            "size": self.size,
        }
        query = QueryDict(mutable=True)
        for name, value in (values | changes).items():
            if value:
                query[name] = value
        return query.urlencode()

    @property
    def sample(self) -> preview.Sample:
        """What is looked at, and as whom."""
        return preview.Sample(
            version=self.version,
            notification_type=self.notification_type,
            follower=self.follower,
            language=self.language,
            data=self.data,
        )


def wish_of(request: HttpRequest, uid: UUID) -> Wish:
    if request.method == "POST":
        asked = request.POST
    else:
        asked = request.GET
    versions = Version.objects.select_related("template", "layout")
    version = get_object_or_404(versions, uid=uid)
    offered = channels_of(version)
    channel = asked.get("channel", "")
    if channel not in offered:
        channel = Channel.EMAIL
        if offered:
            channel = offered[0]
    known = VIEWS.get(channel, ())
    views = [name for name, _label in known]
    kind, data = _purpose(version)
    text = asked.get("follower", "").strip()
    found = find_some(text)
    follower = None
    if found:
        follower = found[0]
    view = asked.get("view", "")
    if view not in views:
        view = (views or ["text"])[0]
    size = asked.get("size", "")
    if size not in dict(SIZES):
        size = "wide"
    return Wish(
        version=version,
        notification_type=kind,
        data=data,
        follower=follower,
        others=found[1:],
        text=text,
        language=asked.get("language", ""),
        channel=channel,
        view=view,
        size=size,
    )


def channels_of(version: Version) -> list[str]:
    """Channels any language of this version has words for, in the order of the parts."""
    with_words: set[str] = set()
    for row in version.translations.all():
        with_words.update(row.parts)
    return [channel for channel in CHANNEL_PARTS if channel in with_words]


def _purpose(version: Version) -> tuple[NotificationType, dict[str, Any]]:
    """The message type this version is for, and the values its campaign gives to it."""
    try:
        campaign = version.template.campaign
    except ObjectDoesNotExist:
        spoken_for = NotificationType.objects.filter(type_template__template=version.template)
        kind = spoken_for.first()
        return kind or NotificationType(**SOME_TYPE), {}
    return campaign.notification_type, campaign.data


def rendered(wish: Wish) -> tuple[Any, str]:
    """What it looks like, or None and why it can't be shown."""
    try:
        return preview.preview(wish.sample, channel=wish.channel), ""
    except RenderError as error:
        return None, str(error)


@requires(Capability.VIEW)
@require_safe
def panel(request: HttpRequest, uid: UUID) -> HttpResponse:
    """The panel alone for htmx, a page of its own for everybody else."""
    return _panel(request, wish_of(request, uid))


def _panel(request: HttpRequest, wish: Wish, **more: Any) -> HttpResponse:
    result, error = rendered(wish)
    source = ""
    if result and wish.view == "source":
        try:
            content = preview.exact_bytes(wish.sample, now=timezone.now())
        except (RenderError, BadHeader) as problem:
            error = str(problem)
        else:
            text = content.decode("utf-8", "replace")
            source = text.replace("\r\n", "\n")
    cost = None
    if result and wish.channel == Channel.SMS:
        cost = cost_of(result.parts)
    shown_language = ""
    if result:
        shown_language = language_name(result.language)
    if wish.follower:
        seen_by = name_of(wish.follower)
    else:
        seen_by = wish.text
    to = request.POST.get("to") or user_of(request).email
    context = {
        **_choices(wish),
        "wish": wish,
        "version": wish.version,
        "result": result,
        "error": error,
        "source": source,
        "cost": cost,
        "shown_language": shown_language,
        "query": wish.query(),
        "seen_by": seen_by,
        "may_test": may(request.user, Capability.EDIT),
        "to": to,
        **more,
    }
    name = "preview"
    if request.headers.get("HX-Request"):
        name = "_preview"
    return render(request, f"dashboard/content/templates/{name}.html", context)


def _choices(wish: Wish) -> dict[str, Any]:
    """What the panel offers to look at instead, as tuples that end with a query string
    where a link leads there.
    """
    tags = [row.language for row in wish.version.translations.all()]
    languages = [(tag, language_name(tag)) for tag in tags]
    offered = channels_of(wish.version)
    channels = [(channel, CHANNEL_PARTS[channel].label) for channel in offered]
    known = VIEWS.get(wish.channel, ())
    views = [(name, label, wish.query(view=name)) for name, label in known]
    sizes = [(name, label, wish.query(size=name)) for name, label in SIZES]
    others = []
    for other in wish.others:
        others.append((other, wish.query(follower=str(other.uid))))
    return {
        "languages": languages,
        "channels": channels,
        "views": views,
        "sizes": sizes,
        "others": others,
    }


@requires(Capability.VIEW)
@require_safe
@framed
def frame(request: HttpRequest, uid: UUID) -> HttpResponse:
    """The email's HTML as it would go out."""
    result, error = rendered(wish_of(request, uid))
    if result is None:
        return HttpResponse(error, content_type="text/plain; charset=utf-8")
    html = result.parts.get("html")
    if not html:
        html = format_html("<p>{}</p>", gettext("This version has no HTML."))
    return HttpResponse(html)


@requires(Capability.VIEW)
@require_safe
def download(request: HttpRequest, uid: UUID) -> HttpResponse:
    """The exact bytes as a file that mail programs open."""
    wish = wish_of(request, uid)
    try:
        content = preview.exact_bytes(wish.sample, now=timezone.now())
    except (RenderError, BadHeader) as error:
        messages.error(request, str(error))
        return _back_to(wish)
    version = wish.version
    name = f"{version.template.key}-v{version.number}.eml"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(content, content_type="message/rfc822", headers=headers)


def _back_to(wish: Wish) -> HttpResponse:
    page = reverse("dashboard:preview", args=[wish.version.uid])
    return redirect(f"{page}?{wish.query()}")


@requires(Capability.EDIT)
@require_POST
def send_test(request: HttpRequest, uid: UUID) -> HttpResponse:
    """One real mail, and the server's own words about it."""
    wish = wish_of(request, uid)
    to = request.POST.get("to", "").strip()
    good, said = try_out(request, wish.sample, to=to)
    if request.headers.get("HX-Request"):
        return _panel(request, wish, tested={"good": good, "said": said})
    level = messages.ERROR
    if good:
        level = messages.SUCCESS
    messages.add_message(request, level, said)
    return _back_to(wish)


def try_out(request: HttpRequest, sample: preview.Sample, *, to: str) -> tuple[bool, str]:
    """Send the sample to `to` for real: whether the server took it, and a sentence about that."""
    try:
        by = staff_actor(request)
        outcome = preview.send_test(sample=sample, to=to, by=by, now=timezone.now())
    except RenderError as error:
        return False, gettext("It can't be written yet. {error}").format(error=error)
    except (Refused, Undecryptable) as error:
        return False, str(error)
    if outcome.result == Result.ACCEPTED:
        detail = outcome.detail or gettext("nothing more")
        told = gettext("The server took the test for {to}. It said: {said}")
        return True, told.format(to=to, said=detail)
    said = outcome.detail or gettext("It gave no reason.")
    if outcome.result == Result.ACCOUNT:
        said = said.rstrip(".")
    return False, _not_taken(outcome.result).format(to=to, said=said)


def _not_taken(result: Result) -> str:
    """Say why a test was not taken, with places for {to} and for what the server {said}."""
    match result:
        case Result.ACCOUNT:
            return gettext(
                "Nothing can leave through this account. {said}. Check it under Channels."
            )
        case Result.BLOCKED:
            return gettext("The server of {to} takes nothing from this account. It said: {said}")
        case Result.TRANSIENT | Result.THROTTLED:
            return gettext("Not taken now, perhaps later. The server said: {said}")
        case Result.IN_DOUBT:
            return gettext(
                "It was handed over, but no answer came: look into the mailbox of {to}. {said}"
            )
        case Result.PERMANENT_RECIPIENT:
            return gettext("The server will not take mail for {to}. It said: {said}")
    return gettext("This message will not be taken. {said}")


urlpatterns = [
    path("preview/<uuid:uid>/", panel, name="preview"),
    path("preview/<uuid:uid>/frame/", frame, name="preview-frame"),
    path("preview/<uuid:uid>/message.eml", download, name="preview-download"),
    path("preview/<uuid:uid>/test/", send_test, name="preview-test"),
]
