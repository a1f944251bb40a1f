"""The page behind the mail: its owner says yes. A scanner's GET spends nothing, the link may be
opened and pressed again, and one that is too old sends a new mail.
"""

import datetime as dt
from dataclasses import replace
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation
from django.views.decorators.http import require_http_methods, require_POST

from apps.followers.models import Follower, SignUp, SignUpForm
from apps.followers.sign_up.ask import ask_again
from apps.followers.sign_up.begin import SOURCE
from apps.followers.sign_up.confirm import OPEN, confirm, wording
from apps.lib.tokens import BadToken
from apps.notifications.messages.links import managing_token
from apps.notifications.models import Delivery
from apps.subscriptions.public import (
    PublicLink,
    follower_of,
    proof,
    public_page,
    read_link,
    show,
)
from apps.subscriptions.sign_up import mail
from apps.subscriptions.sign_up.words import texts_of

GOOD_FOR = dt.timedelta(days=14)


@public_page
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, token: str) -> HttpResponse:
    """Ask, and confirm on POST; opened or pressed again it says what is so."""
    found = _found(token)
    if found is None:
        return _forgotten(request)
    row, follower = found
    context = {"row": row, "token": token}
    if row.state not in OPEN:
        return _confirmed(request, row, follower)
    if row.created_at < timezone.now() - GOOD_FOR:
        return show(request, "sign_up/old", context)
    if request.method != "POST":
        texts = texts_of(row.form, translation.get_language())
        return show(request, "sign_up/confirm", {**context, "texts": texts})
    said = replace(proof(request, follower, SOURCE), wording=wording(row))
    row = confirm(sign_up=row, proof=said)
    follower.refresh_from_db()
    return _confirmed(request, row, follower)


@public_page
@require_POST
def again(request: HttpRequest, token: str) -> HttpResponse:
    """Send a new mail for a link that is too old; what was typed then still counts."""
    found = _found(token)
    if found is None:
        return _forgotten(request)
    row, follower = found
    if row.state not in OPEN:
        return _confirmed(request, row, follower)
    with transaction.atomic():
        mail.call(ask_again(sign_up=row, now=timezone.now()))
    return show(request, "sign_up/mailed_again", {"row": row})


def _found(token: str) -> tuple[SignUp, Follower] | None:
    """Find the sign-up that a link confirms; None where it was forgotten.

    Raises BadToken for a link that was altered, and PreviewLink.
    """
    link = read_link("confirm", token)
    try:
        follower = follower_of(link)
    except BadToken:
        return None
    row = _sign_up_of(link, follower)
    if row is None:
        return None
    return row, follower


def _sign_up_of(link: PublicLink, follower: Follower) -> SignUp | None:
    """The one that the mail names; where the mail is gone, the latest."""
    rows = SignUp.objects.filter(follower=follower).select_related("form", "wording", "follower")
    data: dict[str, Any] | None = None
    if link.delivery:
        mailed = Delivery.objects.filter(uid=link.delivery, follower=follower)
        data = mailed.values_list("notification__data", flat=True).first()
    if data and "sign_up" in data:
        return rows.filter(uid=data["sign_up"]).first()
    return rows.first()


def _confirmed(request: HttpRequest, row: SignUp, follower: Follower) -> HttpResponse:
    texts = texts_of(row.form, translation.get_language())
    context = {"row": row, "texts": texts, "token": managing_token(follower)}
    return show(request, "sign_up/confirmed", context)


def _forgotten(request: HttpRequest) -> HttpResponse:
    """Lead whoever comes very late to the forms there are."""
    language = translation.get_language()
    forms = [
        (form.key, texts_of(form, language)["title"])
        for form in SignUpForm.objects.filter(active=True).order_by("pk")[:20]
    ]
    return show(request, "sign_up/forgotten", {"forms": forms}, status=404)
