"""The page behind the mail that asks an address: its owner says yes."""

from contextlib import suppress

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from apps.followers.consent.record import Proof
from apps.followers.models import AddressClaim, Follower
from apps.followers.people import address_claims
from apps.followers.people.contacts import AddressTaken
from apps.lib import tokens
from apps.lib.ids import row_with
from apps.subscriptions import new_way
from apps.subscriptions.claims.mail import PURPOSE
from apps.subscriptions.public import email_of, proof, public_page, show, speak
from apps.subscriptions.wording import masked

SOURCE = "address_page"


@public_page
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, token: str) -> HttpResponse:
    """Ask, and confirm on POST; opened or pressed again it says what is so."""
    claim = _found(token)
    context = {"claim": claim, "token": token, "place": masked(claim.value)}
    if claim.confirmed_at:
        return show(request, "claims/confirmed", context)
    if claim.created_at < timezone.now() - address_claims.GOOD_FOR:
        return show(request, "claims/old", context)
    if request.method != "POST":
        return show(request, "claims/confirm", context)
    try:
        _confirm(claim, proof(request, claim.follower, SOURCE))
    except AddressTaken:
        return show(request, "claims/taken", context, status=409)
    return show(request, "claims/confirmed", context)


@public_page
@require_POST
def again(request: HttpRequest, token: str) -> HttpResponse:
    """Send a new mail for a link that is too old, at most one an hour; the answer is the same."""
    claim = _found(token)
    if not claim.confirmed_at:
        with suppress(address_claims.TooManyClaims):
            address_claims.ask(
                follower=claim.follower,
                value=claim.value,
                primary=claim.primary,
                now=timezone.now(),
            )
    return show(request, "claims/mailed_again", {})


def _confirm(claim: AddressClaim, said: Proof) -> None:
    """Confirm the address, and tell the one that was used until now and the one that is from now
    on. Raises AddressTaken, and BadToken for a claim that was voided meanwhile.
    """
    place = masked(claim.value)
    with transaction.atomic():
        # First, and as strongly as any act below locks: telling locks the row weakly, and of two
        # presses at once each would wait for the other.
        follower = Follower.objects.select_for_update().get(pk=claim.follower_id)
        claim = AddressClaim.objects.get(pk=claim.pk)
        if claim.voided_at:
            raise tokens.BadToken
        if claim.confirmed_at:
            return
        before = email_of(follower)
        if before and before.key != claim.key:
            new_way.tell(follower, "email", place, replaced=claim.primary, proof=said)
        address_claims.confirm(claim=claim, proof=said)
        if claim.primary:
            new_way.tell(follower, "email", place, proof=said)


def _found(token: str) -> AddressClaim:
    """Find what a link confirms; its follower's language is spoken from here on.

    Raises BadToken for a link that was altered, forgotten, voided or revoked.
    """
    rows = AddressClaim.objects.select_related("follower")
    claim = row_with(rows, tokens.read(PURPOSE, token))
    if claim is None or claim.voided_at or _is_revoked(claim, claim.follower):
        raise tokens.BadToken
    speak(claim.follower)
    return claim


def _is_revoked(claim: AddressClaim, follower: Follower) -> bool:
    return follower.links_since is not None and claim.created_at <= follower.links_since
