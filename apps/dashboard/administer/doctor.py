"""The doctor's page of an account for mail: what was found, what to publish, keys for DKIM."""

from itertools import groupby
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.actors import staff_actor
from apps.accounts.permissions import Capability, requires
from apps.channels.contract import BadSettings
from apps.followers.models import Channel
from apps.lib.crypto import Undecryptable
from apps.lib.refusals import Refused
from apps.notifications.accounts import dkim_keys, doctor, domain_reports
from apps.notifications.accounts.routing import settings_of
from apps.notifications.models import Examination, ProviderAccount, WaitingKey

TOPICS = {
    "spf": gettext_lazy("Who may send (SPF)"),
    "dkim": gettext_lazy("Signatures (DKIM)"),
    "dmarc": gettext_lazy("Policy (DMARC)"),
    "mx": gettext_lazy("Answers and bounces (MX)"),
    "tls": gettext_lazy("The way to the server (TLS)"),
    "ptr": gettext_lazy("The server's name in reverse (PTR)"),
    "bimi": gettext_lazy("Logo (BIMI)"),
    "one_click": gettext_lazy("Unsubscribing with one click"),
}


@requires(Capability.ADMINISTER)
@require_safe
def page(request: HttpRequest, uid: UUID) -> HttpResponse:
    account = _account(uid)
    try:
        context = _context(account)
    except Undecryptable as error:
        said = _("{name} can't be opened: {why}").format(name=account.name, why=error)
        messages.error(request, said)
        return redirect("dashboard:channels")
    return render(request, "dashboard/administer/channels/doctor.html", context)


def _context(account: ProviderAccount) -> dict[str, Any]:
    """Gather what the page shows. Raises Undecryptable."""
    waiting = WaitingKey.objects.filter(account=account).first()
    record = None
    if waiting:
        record = dkim_keys.record_of(waiting)
    examination = Examination.objects.filter(account=account).first()
    return {
        "account": account,
        "examination": examination,
        "topics": _topics(examination),
        "record": record,
        "signs_here": account.provider == "smtp",
        "selector": settings_of(account).get("dkim_selector"),
        "heard": _heard(account),
    }


def _topics(examination: Examination | None) -> list[tuple[str, list[Any]]]:
    """The findings under the name of their topic, in the order in which they were found."""
    if examination is None:
        return []
    found = doctor.findings_of(examination)
    grouped = groupby(found, key=lambda each: each.topic)
    return [(str(TOPICS[topic]), list(each)) for topic, each in grouped]


def _heard(account: ProviderAccount) -> domain_reports.Heard | None:
    try:
        domain = doctor.way_out(account).domain
    except BadSettings:  # the form says what is wrong with them
        return None
    return domain_reports.heard(domain=domain, now=timezone.now())


@requires(Capability.ADMINISTER)
@require_POST
def examine(request: HttpRequest, uid: UUID) -> HttpResponse:
    account = _account(uid)
    try:
        doctor.examine_account(account=account, now=timezone.now())
    except (Refused, Undecryptable) as error:
        messages.error(request, str(error))
    return _back(account)


@requires(Capability.ADMINISTER)
@require_POST
def make_key(request: HttpRequest, uid: UUID) -> HttpResponse:
    account = _account(uid)
    try:
        dkim_keys.make_key(account=account, by=staff_actor(request), now=timezone.now())
    except (Refused, Undecryptable) as error:
        messages.error(request, str(error))
    return _back(account)


@requires(Capability.ADMINISTER)
@require_POST
def use_key(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Sign with the waiting key, and look at everything again."""
    account = _account(uid)
    now = timezone.now()
    try:
        before = dkim_keys.use_key(account=account, by=staff_actor(request), now=now)
        doctor.examine_account(account=account, now=now)
    except (Refused, Undecryptable) as error:
        messages.error(request, str(error))
        return _back(account)
    messages.success(request, _("Mails are signed with the new key from now on."))
    if before:
        said = _(
            "Leave the record of the key before, {selector}, in the DNS for a week: mails that are"
            " under way are checked with it."
        )
        messages.info(request, said.format(selector=before))
    return _back(account)


def _account(uid: UUID) -> ProviderAccount:
    return get_object_or_404(ProviderAccount, uid=uid, channel=Channel.EMAIL)


def _back(account: ProviderAccount) -> HttpResponse:
    return redirect("dashboard:channel-account-doctor", account.uid)


urlpatterns = [
    path("channels/<uuid:uid>/doctor/", page, name="channel-account-doctor"),
    path("channels/<uuid:uid>/doctor/examine/", examine, name="channel-account-examine"),
    path("channels/<uuid:uid>/doctor/key/", make_key, name="channel-account-make-key"),
    path("channels/<uuid:uid>/doctor/key/use/", use_key, name="channel-account-use-key"),
]
