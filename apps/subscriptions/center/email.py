"""The email addresses on the preference page: name another one, use one of them, forget one.

The mailbox of a new address is asked first (../claims). Each wants a link that was asked for today;
only what was not confirmed yet is forgotten with any.
"""

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from apps.followers.addresses import BadAddress
from apps.followers.models import AddressState, Follower
from apps.followers.people import address_claims, further_addresses
from apps.subscriptions import new_way
from apps.subscriptions.center.page import SOURCE, back, page
from apps.subscriptions.mail_link import mail_fresh
from apps.subscriptions.public import (
    follower_of,
    posted,
    proof,
    public_page,
    read_link,
    was_asked_for,
)
from apps.subscriptions.wording import BAD_EMAIL, masked


@public_page
@require_POST
def ask(request: HttpRequest, token: str) -> HttpResponse:
    """Ask the mailbox of another address, for whoever has the one we know."""
    link = read_link("preferences", token)
    follower = follower_of(link)
    if not was_asked_for(link, follower):
        return mail_fresh(request, follower)
    said = proof(request, follower, SOURCE)
    sent = posted(request)
    try:
        address_claims.ask(
            follower=follower,
            value=sent.get("email", "")[:400],
            primary=sent.get("use") == "instead",
            ip=said.ip,
            now=said.now,
        )
    except BadAddress:
        return page(request, token, follower, problem=("email", BAD_EMAIL), status=400)
    except address_claims.TooManyClaims as refused:
        return page(request, token, follower, problem=("email", str(refused)), status=429)
    return back(token, "asked", part="email")


@public_page
@require_POST
def use(request: HttpRequest, token: str) -> HttpResponse:
    """Write to another address of the follower's that is known to be theirs; both are told."""
    link = read_link("preferences", token)
    follower = follower_of(link)
    if not was_asked_for(link, follower):
        return mail_fresh(request, follower)
    said = proof(request, follower, SOURCE)
    uid = posted(request).get("address", "")
    with transaction.atomic():
        # First, and as strongly as any act below locks: telling locks the row weakly, and of two
        # presses at once each would wait for the other.
        follower = Follower.objects.select_for_update().get(pk=follower.pk)
        address = address_claims.further_email(follower, uid)
        if address and address.state == AddressState.ACTIVE:
            place = masked(address.value)
            new_way.tell(follower, "email", place, replaced=True, proof=said)
            further_addresses.make_primary(address=address, by=said.by, now=said.now)
            new_way.tell(follower, "email", place, proof=said)
    return back(token, "used", part="email")


@public_page
@require_POST
def remove(request: HttpRequest, token: str) -> HttpResponse:
    """Forget an address that is not written to; a second press finds it done."""
    link = read_link("preferences", token)
    follower = follower_of(link)
    if not was_asked_for(link, follower):
        return mail_fresh(request, follower)
    said = proof(request, follower, SOURCE)
    address = address_claims.further_email(follower, posted(request).get("address", ""))
    try:
        if address:
            address_claims.forget_address(address=address, by=said.by, now=said.now)
    except address_claims.LatelyUsed as refused:
        return page(request, token, follower, problem=("email", str(refused)), status=409)
    return back(token, "no_email", part="email")


@public_page
@require_POST
def forget_claim(request: HttpRequest, token: str) -> HttpResponse:
    """Ask an address no more; a second press finds it done."""
    follower = follower_of(read_link("preferences", token))
    said = proof(request, follower, SOURCE)
    uid = posted(request).get("claim", "")
    address_claims.forget_claim(follower=follower, uid=uid, now=said.now)
    return back(token, "no_email", part="email")
