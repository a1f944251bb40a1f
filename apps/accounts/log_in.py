"""Coming in: how many wrong passwords there may be, and what the audit log keeps of it."""

import ipaddress
from datetime import timedelta
from typing import Any

from axes.attempts import get_cool_off_threshold
from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_client_username
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth import authenticate
from django.db import transaction
from django.db.models import Q, Sum
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_noop

from apps.accounts.actors import of_user, user_of
from apps.accounts.models import AuditEntry, User
from apps.lib.actor import Actor, ActorKind
from apps.lib.facts import Kind, Subject, tell
from apps.lib.network.client_ip import client_ip

# Wrong passwords within AXES_COOLOFF_TIME that close the door. A name is also counted everywhere,
# or many addresses could share the work; an address with all names, or one password is tried on
# all of them.
MOST = {"here": settings.AXES_FAILURE_LIMIT, "name": 20, "address": 10, "all": 100}
# Who came in from an address within this time is not locked out by what strangers do elsewhere.
KNOWN_FOR = timedelta(days=90)
ELSEWHERE = {"name", "all"}


class Limits(AxesDatabaseHandler):  # type: ignore[misc]  # the package has no types
    """Count wrong passwords by name and address together, by name, by address, and all."""

    def get_failures(self, request: HttpRequest, credentials: Any = None) -> int:
        name = get_client_username(request, credentials)
        address = request.axes_ip_address  # type: ignore[attr-defined]  # the package's own
        counts = _counts(request, name, address)
        over = {what for what, most in MOST.items() if counts[what] >= most}
        if over and over <= ELSEWHERE and _known(name, request):
            over = set()
        if over:
            return MOST["here"]
        return counts["here"]


def _counts(request: HttpRequest, name: str | None, address: str | None) -> dict[str, int]:
    recent = AccessAttempt.objects.filter(attempt_time__gte=get_cool_off_threshold(request))
    mine = Q(username=name)
    from_here = Q(ip_address=address)
    sums = recent.aggregate(
        here=Sum("failures_since_start", filter=mine & from_here),
        name=Sum("failures_since_start", filter=mine),
        address=Sum("failures_since_start", filter=from_here),
        all=Sum("failures_since_start"),
    )
    return {what: count or 0 for what, count in sums.items()}


def _known(name: str | None, request: HttpRequest) -> bool:
    """Whether this person came in from this address not long ago."""
    uids = [str(uid) for uid in User.objects.filter(username=name).values_list("uid", flat=True)]
    entries = AuditEntry.objects.filter(actor_kind=ActorKind.STAFF, actor_id__in=uids)
    since = timezone.now() - KNOWN_FOR
    here = entries.filter(kind=Kind.LOGGED_IN, ip=client_ip(request) or None, at__gte=since)
    return here.exists()


def source(request: HttpRequest) -> str | None:
    """The address that wrong passwords are counted for: of IPv6 the network of 64 bits, all of
    which one person has.
    """
    text = client_ip(request)
    if not text:
        return None
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False).network_address)
    return text


def knows_password(request: HttpRequest, password: str) -> bool:
    """Whether this is the user's password. A wrong one counts as at the log-in page."""
    name = user_of(request).get_username()
    return authenticate(request, username=name, password=password) is not None


# ------------------------------------------------------------------ facts
def came_in(request: HttpRequest, user: User) -> None:
    """Write a log-in into the audit log."""
    with transaction.atomic():
        by = of_user(user, ip=client_ip(request))
        tell(Kind.LOGGED_IN, by=by, now=timezone.now(), about=user)


def failed(*, credentials: Any, request: HttpRequest | None = None, **rest: Any) -> None:
    """Hear Django's signal of a wrong password, after axes has counted it.

    What was refused unread, because the door is closed, is not counted, and not written down.
    """
    if getattr(request, "axes_failures_since_start", None) is None:
        return
    assert request is not None  # noqa: S101  # it has the count
    name = str(credentials.get("username", ""))
    with transaction.atomic():
        _refused(Kind.LOG_IN_FAILED, name, request)
        if request.axes_locked_out:  # type: ignore[attr-defined]  # the package's own
            _refused(Kind.LOCKED_OUT, name, request)


def _refused(kind: Kind, name: str, request: HttpRequest) -> None:
    user = User.objects.filter(username=name).first()
    # somebody who is in a hurry types the password where the name belongs
    about = Subject("staff", "", gettext_noop("an unknown name"))
    if user:
        about = user.fact_subject
    label = gettext_noop("Somebody with a wrong password")  # said by fact_words
    by = Actor(ActorKind.SYSTEM, label=label, ip=client_ip(request))
    tell(kind, by=by, now=timezone.now(), about=about)
