"""The email addresses on the preference page: name another one, use one of them, forget one.

The mailbox of a new address is asked first (../claims).
"""

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from apps.followers.addresses import BadAddress
from apps.followers.models import AddressState
from apps.followers.people import address_claims, further_addresses
from apps.subscriptions import new_way
from apps.subscriptions.center.page import SOURCE, back, page
from apps.subscriptions.mail_link import mail_fresh
from apps.subscriptions.public import follower_of, is_fresh, posted, proof, public_page, read_link
from apps.subscriptions.wording import BAD_EMAIL, TOO_MANY_CLAIMS, masked


@public_page
@require_POST
def ask(request: HttpRequest, token: str) -> HttpResponse:
    """Ask the mailbox of another address, for whoever has the one we know."""
    link = read_link("preferences", token)
    follower = follower_of(link)
    if not is_fresh(link, follower):
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
    except address_claims.TooManyClaims:
        return page(request, token, follower, problem=("email", TOO_MANY_CLAIMS), status=429)
    return back(token, "asked", part="email")


@public_page
@require_POST
def use(request: HttpRequest, token: str) -> HttpResponse:
    """Write to another address of the follower's that is known to be theirs; both are told."""
    link = read_link("preferences", token)
    follower = follower_of(link)
    if not is_fresh(link, follower):
        return mail_fresh(request, follower)
    said = proof(request, follower, SOURCE)
    address = address_claims.further_email(follower, posted(request).get("address", ""))
    if address and address.state == AddressState.ACTIVE:
        place = masked(address.value)
        with transaction.atomic():
            new_way.tell(follower, "email", place, proof=said)
            further_addresses.make_primary(address=address, by=said.by, now=said.now)
            new_way.tell(follower, "email", place, proof=said)
    return back(token, "used", part="email")


@public_page
@require_POST
def remove(request: HttpRequest, token: str) -> HttpResponse:
    """Forget an address that is not written to; a second press finds it done."""
    follower = follower_of(read_link("preferences", token))
    said = proof(request, follower, SOURCE)
    address = address_claims.further_email(follower, posted(request).get("address", ""))
    if address:
        further_addresses.delete_address(address=address, by=said.by, now=said.now)
    return back(token, "no_email", part="email")
