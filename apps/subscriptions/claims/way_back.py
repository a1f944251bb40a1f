"""The page behind the mail that told an address of its successor: its reader takes it back."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from apps.followers.models import Address, Follower
from apps.followers.people import address_claims
from apps.lib import tokens
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane
from apps.notifications.models import Delivery
from apps.subscriptions import new_way
from apps.subscriptions.claims.pages import SOURCE
from apps.subscriptions.public import (
    PublicLink,
    named_by,
    proof,
    public_page,
    read_link,
    show,
    speak,
)
from apps.subscriptions.wording import masked


@public_page
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, token: str) -> HttpResponse:
    """Offer it, and do it on POST; pressed again it says what is so."""
    follower, address = _lost(read_link("preferences", token))
    context = {"token": token, "place": masked(address.value)}
    if address.primary:
        return show(request, "claims/back", context)
    if not address_claims.can_be_taken_back(address, now=timezone.now()):
        return show(request, "claims/no_way_back", context)
    if request.method != "POST":
        return show(request, "claims/take_back", context)
    try:
        address_claims.take_back(address=address, proof=proof(request, follower, SOURCE))
    except address_claims.NoWayBack:
        return show(request, "claims/no_way_back", context)
    # what the thief added is to be seen, for which the link just used is good no more
    announce("apps.subscriptions.mail_link.send", lane=Lane.TRANSACTIONAL, follower_id=follower.pk)
    return show(request, "claims/back", context)


def _lost(link: PublicLink) -> tuple[Follower, Address]:
    """Find the address that the mail went to. Raises BadToken for the link of any other mail.

    Not stopped by `links_since`: a thief who takes another address "back" revokes all links, and
    must not revoke this one. Where staff revoke them, no address is left to be taken back.
    """
    named = named_by(link)
    if link.delivery is None or named is None:
        raise tokens.BadToken
    alerts = Delivery.objects.filter(
        uid=link.delivery,
        follower=named,
        notification__notification_type__key=new_way.TYPE,
        notification__version__template__key=new_way.TEMPLATE,
        notification__data__replaced=True,
    )
    alert = alerts.select_related("address__follower").first()
    if alert is None or alert.address is None:
        raise tokens.BadToken
    follower = alert.address.follower
    if follower != named:
        raise tokens.BadToken
    speak(follower)
    return follower, alert.address
