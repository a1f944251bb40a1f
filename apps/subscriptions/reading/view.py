"""One mail in a browser, for whoever holds the link that stood in it.

People forward mails, and this link with them. It shows the mail as it would be written to the same
address today: nothing on these pages can unsubscribe anybody or leads to anybody's preferences, and
nothing that is done with them is counted as the reader's.
"""

import logging

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from apps.content.problems import RenderError
from apps.content.render import Rendered
from apps.followers.consent.rhythm import zone_of
from apps.followers.models import Channel
from apps.lib.ids import moment_of
from apps.lib.tokens import BadToken
from apps.lib.written import written
from apps.notifications.messages.links import DEAD, read_viewing
from apps.notifications.messages.web_copy import copy_for_reader
from apps.notifications.models import Delivery
from apps.subscriptions.public import PreviewLink, public_page, show, speak
from apps.subscriptions.reading.framed import framed

log = logging.getLogger("carillon.subscriptions")


class _Gone(Exception):  # no error of anybody's
    """The mail can't be shown any more."""


@public_page
@require_safe
def page(request: HttpRequest, token: str) -> HttpResponse:
    """The mail in a frame, with what it is and when it was sent."""
    try:
        delivery, copy = _read(token)
    except _Gone:
        return _gone(request)
    assert delivery.follower is not None  # noqa: S101  (_read looked)
    sent_at = (delivery.finished_at or delivery.created_at).astimezone(zone_of(delivery.follower))
    context = {
        "token": token,
        "subject": copy.parts["subject"],
        "sent_at": written(sent_at, "d MMMM y, HH:mm"),
    }
    return show(request, "reading/view", context)


@public_page
@require_safe
def mail(request: HttpRequest, token: str) -> HttpResponse:
    """The mail's own page, for the frame."""
    try:
        _delivery, copy = _read(token)
    except _Gone:
        return _gone(request)
    return framed(request, copy)


def _read(token: str) -> tuple[Delivery, Rendered]:
    """Find the mail and write it; the page speaks its reader's language from here on.

    Raises BadToken, PreviewLink, and _Gone for a mail of which a good link was made: where its
    reader was erased, where links were revoked, where it is no longer kept,
    where it was taken back.
    """
    if token == DEAD.viewing:
        raise PreviewLink
    mark = read_viewing(token)
    rows = Delivery.objects.select_related(
        "follower", "address", "notification__notification_type", "notification__version"
    )
    delivery = rows.filter(uid=mark.delivery, channel=Channel.EMAIL).first()
    if delivery is None or delivery.follower is None:
        raise _Gone
    if delivery.notification.retracted_at is not None or delivery.notification.lost_its_words:
        raise _Gone
    if not delivery.notification.notification_type.commercial:
        # what is private, as a code or a receipt, stays in the mailbox
        raise BadToken
    since = delivery.follower.links_since
    if since is not None and moment_of(mark.delivery) <= since:
        raise _Gone
    speak(delivery.follower)
    try:
        return delivery, copy_for_reader(delivery)
    except RenderError:
        log.exception("The web copy of delivery %s could not be made.", delivery.uid)
        raise _Gone from None


def _gone(request: HttpRequest) -> HttpResponse:
    return show(request, "reading/gone", {}, status=410)
