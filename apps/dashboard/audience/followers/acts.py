"""What staff do from one person's page: consent, links, addresses."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from apps.accounts.actors import staff_actor
from apps.accounts.permissions import Capability, requires
from apps.dashboard.audience.followers.found import found
from apps.followers.consent import acts
from apps.followers.consent.record import Proof
from apps.followers.models import Channel, Follower
from apps.followers.people import address_claims, further_addresses
from apps.followers.people.revoke_links import revoke_links
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane
from apps.lib.refusals import Refused

MAIL_LINK = "apps.subscriptions.mail_link.send"


def staff_proof(request: HttpRequest) -> Proof:
    """A record of consent that names the person at the page as its witness."""
    return Proof(source="staff", by=staff_actor(request), now=timezone.now())


@requires(Capability.EDIT)
@require_POST
def unsubscribe(request: HttpRequest, uid: UUID) -> HttpResponse:
    follower = found(uid)
    reason = request.POST.get("reason", "").strip()
    changed = acts.unsubscribe(follower=follower, reason=reason, proof=staff_proof(request))
    if changed:
        said = gettext(
            "{follower} is unsubscribed: no commercial message goes out from this moment."
        )
        messages.success(request, said.format(follower=follower))
    else:
        said = gettext("{follower} was unsubscribed already.")
        messages.info(request, said.format(follower=follower))
    return redirect("dashboard:follower", follower.uid)


@requires(Capability.EDIT)
@require_POST
def resubscribe(request: HttpRequest, uid: UUID) -> HttpResponse:
    follower = found(uid)
    changed = acts.resubscribe(follower=follower, proof=staff_proof(request))
    if changed:
        said = gettext(
            "{follower} is subscribed again. The consent record names you as the witness."
        )
        messages.success(request, said.format(follower=follower))
    else:
        said = gettext("{follower} was subscribed already.")
        messages.info(request, said.format(follower=follower))
    return redirect("dashboard:follower", follower.uid)


@requires(Capability.EDIT)
@require_POST
def mail_link(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Mail the person the link to their own page: whoever opens it has their mailbox."""
    follower = found(uid)
    announce(MAIL_LINK, lane=Lane.TRANSACTIONAL, follower_id=follower.pk)
    said = gettext("The link is on its way to {follower}. One mail in ten minutes.")
    messages.success(request, said.format(follower=follower))
    return redirect("dashboard:follower", follower.uid)


@requires(Capability.EDIT)
@require_POST
def revoke(request: HttpRequest, uid: UUID) -> HttpResponse:
    follower = found(uid)
    revoke_links(follower=follower, by=staff_actor(request), now=timezone.now())
    said = gettext("All links to this person's pages are revoked. They can still stop messages.")
    messages.success(request, said)
    return redirect("dashboard:follower", follower.uid)


@requires(Capability.EDIT)
@require_POST
def add_address(request: HttpRequest, uid: UUID) -> HttpResponse:
    follower = found(uid)
    channel = Channel.EMAIL
    if request.POST.get("channel") == Channel.SMS:
        channel = Channel.SMS
    value = request.POST.get("value", "")
    by = staff_actor(request)
    if channel == Channel.EMAIL and "confirm" in request.POST:
        return _ask_mailbox(request, follower, value)
    try:
        address = further_addresses.create_address(
            follower=follower, channel=channel, value=value, by=by, now=timezone.now()
        )
    except Refused as error:
        messages.error(request, str(error))
    else:
        said = gettext("{address} is known; another one is written to.")
        if address.primary:
            said = gettext("{address} is written to.")
        messages.success(request, said.format(address=address.value))
    return redirect("dashboard:follower", follower.uid)


def _ask_mailbox(request: HttpRequest, follower: Follower, value: str) -> HttpResponse:
    try:
        claim = address_claims.ask(
            follower=follower, value=value, primary=False, now=timezone.now()
        )
    except Refused as error:
        messages.error(request, str(error))
    else:
        said = gettext("{address} is asked. It is added when its owner says yes.")
        messages.success(request, said.format(address=claim.value))
    return redirect("dashboard:follower", follower.uid)


@requires(Capability.EDIT)
@require_POST
def change_address(request: HttpRequest, uid: UUID, address_uid: UUID) -> HttpResponse:
    """Use this address, or forget it; a second press finds it done."""
    follower = found(uid)
    addresses = follower.addresses.filter(channel__in=further_addresses.FIELDS)
    address = addresses.filter(uid=address_uid).first()
    wanted = request.POST.get("do")
    if address is not None and wanted in ("primary", "remove"):
        by = staff_actor(request)
        now = timezone.now()
        if wanted == "primary":
            further_addresses.make_primary(address=address, by=by, now=now)
            said = gettext("{address} is used from now on.")
        else:
            further_addresses.delete_address(address=address, by=by, now=now)
            said = gettext("{address} is forgotten.")
        messages.success(request, said.format(address=address.value))
    return redirect("dashboard:follower", follower.uid)


urlpatterns = [
    path("followers/<uuid:uid>/addresses/", add_address, name="follower-addresses"),
    path(
        "followers/<uuid:uid>/addresses/<uuid:address_uid>/",
        change_address,
        name="follower-address",
    ),
    path("followers/<uuid:uid>/unsubscribe/", unsubscribe, name="follower-unsubscribe"),
    path("followers/<uuid:uid>/resubscribe/", resubscribe, name="follower-resubscribe"),
    path("followers/<uuid:uid>/mail-link/", mail_link, name="follower-mail-link"),
    path("followers/<uuid:uid>/revoke-links/", revoke, name="follower-revoke-links"),
]
