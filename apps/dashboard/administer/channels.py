"""The channel pages: accounts, their health and limits, slowed domains, test messages."""

import datetime as dt
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.actors import staff_actor, user_of
from apps.accounts.permissions import Capability, requires
from apps.channels.contract import Provider, Result
from apps.channels.esp.relays import hearing_of
from apps.channels.esp.told import heard_words
from apps.channels.registry import UnknownProvider, provider, providers
from apps.dashboard.administer.channel_forms import (
    WHERE,
    WHICH_DEVICE,
    AccountForm,
    DomainForm,
    TryForm,
)
from apps.dashboard.shell.edit_page import edit_page
from apps.dashboard.shell.paging import beside
from apps.followers.models import Channel
from apps.lib.crypto import Undecryptable
from apps.lib.refusals import Refused
from apps.notifications.accounts import health as accounts_health
from apps.notifications.accounts import routing
from apps.notifications.accounts.doctor import faults_in
from apps.notifications.accounts.edit import AccountValues, change_account, create_account
from apps.notifications.accounts.hold_ups import health_of
from apps.notifications.accounts.try_out import try_account
from apps.notifications.books.still import holds_of_account
from apps.notifications.limits import domains as limits_domains
from apps.notifications.limits import grant
from apps.notifications.messages import links
from apps.notifications.models import DomainLimit, ProviderAccount, SlowDomain

FORM_PAGE = "dashboard/administer/channels/edit.html"


@requires(Capability.ADMINISTER)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    return _list(request)


def _list(request: HttpRequest, domain_form: DomainForm | None = None) -> HttpResponse:
    now = timezone.now()
    accounts = list(ProviderAccount.objects.select_related("examination"))
    labels = {kind.key: kind.label for kind in providers()}
    for account in accounts:
        label = labels.get(account.provider, account.provider)
        health = health_of(account, now)
        slow = len(slowed(account, now))
        beside(account, provider_label=label, health=health, slowed=slow, faults=_faults(account))
    channels = _channels(accounts)
    domains = DomainLimit.objects.all()
    form = domain_form or DomainForm()
    context = {"channels": channels, "domains": domains, "domain_form": form}
    return render(request, "dashboard/administer/channels/list.html", context)


def _faults(account: ProviderAccount) -> int:
    """Count what the doctor calls wrong; 0 where he has not looked."""
    if hasattr(account, "examination"):
        return faults_in(account.examination)
    return 0


@dataclass(frozen=True, slots=True)
class ChannelAccounts:
    """A channel with its accounts, and the providers another account may be added for."""

    label: str
    accounts: list[ProviderAccount]
    providers: list[type[Provider]]


def _channels(accounts: list[ProviderAccount]) -> list[ChannelAccounts]:
    """List every channel that has a provider or an account."""
    kinds = providers()
    names = {kind.channel for kind in kinds}
    names |= {account.channel for account in accounts}
    found = []
    for name in sorted(names):
        label = str(Channel(name).label)
        own = [account for account in accounts if account.channel == name]
        offered = [kind for kind in kinds if kind.channel == name]
        found.append(ChannelAccounts(label, own, offered))
    return found


@dataclass(frozen=True, slots=True)
class Slowed:
    """A domain that asked to be written to less: how fast it is now, and how fast it was."""

    row: SlowDomain
    pace: str
    goal: str


def slowed(account: ProviderAccount, now: dt.datetime) -> list[Slowed]:
    found = []
    for row in account.slow_domains.all():
        rate = limits_domains.pace_of(row, now)
        if rate:
            found.append(Slowed(row, _pace(rate), _pace(row.goal)))
    return found


def _pace(rate: float) -> str:
    if rate >= 2:
        number = rate
        words = _("{count} a second")
    else:
        number = rate * 60
        words = _("{count} a minute")
    count = f"{number:.2g}"
    if number >= 10:
        whole = round(number)
        count = str(whole)
    return words.format(count=number_format(count, force_grouping=True))


@requires(Capability.ADMINISTER)
def add(request: HttpRequest, key: str) -> HttpResponse:
    try:
        kind = provider(key)
    except UnknownProvider as error:
        messages.error(request, str(error))
        return redirect("dashboard:channels")
    form = AccountForm(request.POST or None, kind=kind)

    def save() -> ProviderAccount:
        typed = form.cleaned_data
        return create_account(
            name=typed["name"],
            provider_key=kind.key,
            settings=form.settings(),
            position=typed["position"],
            limits=form.limits(),
            by=staff_actor(request),
            now=timezone.now(),
        )

    def done(account: ProviderAccount) -> HttpResponse:
        said = _("{name} was added. It is off until a test succeeds: send one now.")
        messages.success(request, said.format(name=account.name))
        return redirect("dashboard:channel-account", account.uid)

    return edit_page(request, form, FORM_PAGE, {"kind": kind}, save=save, done=done)


@requires(Capability.ADMINISTER)
def edit(request: HttpRequest, uid: UUID) -> HttpResponse:
    account = get_object_or_404(ProviderAccount, uid=uid)
    try:
        kind = provider(account.provider)
        form = AccountForm(request.POST or None, kind=kind, account=account)
    except (UnknownProvider, Undecryptable) as error:
        said = _("{name} can't be opened: {why}").format(name=account.name, why=error)
        messages.error(request, said)
        return redirect("dashboard:channels")

    def save() -> ProviderAccount:
        typed = form.cleaned_data
        values = AccountValues(
            name=typed["name"],
            settings=form.settings(),
            position=typed["position"],
            limits=form.limits(),
        )
        by = staff_actor(request)
        return change_account(account=account, values=values, by=by, now=timezone.now())

    def done(saved: ProviderAccount) -> HttpResponse:
        messages.success(request, _("{name} was saved.").format(name=saved.name))
        return redirect("dashboard:channel-account", saved.uid)

    context = {"kind": kind, **_standing(request, account, kind)}
    return edit_page(request, form, FORM_PAGE, context, save=save, done=done)


def _standing(
    request: HttpRequest, account: ProviderAccount, kind: type[Provider]
) -> dict[str, Any]:
    """What the account's page shows beside its form."""
    now = timezone.now()
    today = now.date()
    settings = routing.settings_of(account)
    answers_url = ""
    if account.channel in (Channel.SMS, Channel.VOICE):
        answers_url = links.reports_url(account.uid)
    events_url = ""
    paste = ""
    if hearing := hearing_of(kind, settings):
        events_url = links.events_url(account.uid, password=hearing.password)
        paste = _(hearing.paste)
    cap = grant.daily_cap(account, today=today)
    used = grant.used_today(account, today=today)
    return {
        "account": account,
        "health": health_of(account, now),
        "slowed": slowed(account, now),
        "cap": cap,
        "used": used,
        "try_form": _try_form(request, account),
        "shown": kind.shown(settings),
        "answers_url": answers_url,
        "events_url": events_url,
        "paste": paste,
        "heard": heard_words(account.heard_what),
    }


def _try_form(request: HttpRequest, account: ProviderAccount) -> TryForm:
    initial = {}
    if account.channel == Channel.EMAIL:
        initial = {"to": user_of(request).email}
    return TryForm(account=account, initial=initial)


@requires(Capability.ADMINISTER)
@require_POST
def switch(request: HttpRequest, uid: UUID) -> HttpResponse:
    account = get_object_or_404(ProviderAccount, uid=uid)
    enabled = request.POST.get("enabled") == "1"
    values = AccountValues(enabled=enabled)
    by = staff_actor(request)
    change_account(account=account, values=values, by=by, now=timezone.now())
    level = messages.SUCCESS
    if enabled:
        said = _("{name} is on.")
    elif holds_of_account(account.pk):
        level = messages.WARNING
        said = _("{name} is off. What its server has not answered yet may still leave.")
    else:
        said = _("{name} is off. Nothing more leaves through it.")
    messages.add_message(request, level, said.format(name=account.name))
    return redirect("dashboard:channels")


@requires(Capability.ADMINISTER)
@require_POST
def send_trial(request: HttpRequest, uid: UUID) -> HttpResponse:
    account = get_object_or_404(ProviderAccount, uid=uid)
    try:
        form = TryForm(request.POST, account=account)
        if not form.is_valid():
            channel = Channel(account.channel)
            messages.error(request, str(WHERE.get(channel, WHICH_DEVICE)))
            return redirect("dashboard:channel-account", account.uid)
        to = form.shown()
        place = form.place()
        by = staff_actor(request)
        outcome = try_account(account=account, to=place, by=by, now=timezone.now())
    except (Refused, Undecryptable) as error:
        messages.error(request, str(error))
    else:
        detail = outcome.detail
        if outcome.result == Result.ACCEPTED:
            said = _("The server took the test for {to}. It said: {detail}")
            messages.success(request, said.format(to=to, detail=detail))
            _say_if_switched_on(request, account)
        else:
            said = _("The test for {to} was not taken. {detail}")
            messages.error(request, said.format(to=to, detail=detail))
    return redirect("dashboard:channel-account", account.uid)


def _say_if_switched_on(request: HttpRequest, before: ProviderAccount) -> None:
    """Tell that an account went on by its first test."""
    if before.untried and ProviderAccount.objects.filter(pk=before.pk, enabled=True).exists():
        said = _("{name} is on from now on: its first test succeeded.")
        messages.success(request, said.format(name=before.name))


@requires(Capability.ADMINISTER)
@require_POST
def reset(request: HttpRequest, uid: UUID) -> HttpResponse:
    account = get_object_or_404(ProviderAccount, uid=uid)
    accounts_health.reset(account=account, by=staff_actor(request), now=timezone.now())
    said = _("{name} is used again from now on.").format(name=account.name)
    messages.success(request, said)
    return redirect("dashboard:channel-account", account.uid)


@requires(Capability.ADMINISTER)
@require_POST
def unslow(request: HttpRequest, uid: UUID) -> HttpResponse:
    account = get_object_or_404(ProviderAccount, uid=uid)
    domain = request.POST.get("domain", "")
    by = staff_actor(request)
    if limits_domains.reset_domain(account=account, domain=domain, by=by, now=timezone.now()):
        said = _("{domain} is written to as before.").format(domain=domain)
        messages.success(request, said)
    else:
        messages.warning(request, _("That domain is not slowed any more."))
    return redirect("dashboard:channel-account", account.uid)


@requires(Capability.ADMINISTER)
@require_POST
def limit_domain(request: HttpRequest) -> HttpResponse:
    form = DomainForm(request.POST)
    if not form.is_valid():
        return _list(request, form)
    typed = form.cleaned_data
    by = staff_actor(request)
    try:
        limit = limits_domains.set_domain_limit(**typed, by=by, now=timezone.now())
    except limits_domains.BadLimit as error:
        form.add_error(None, str(error))
        return _list(request, form)
    said = _("{domain} gets at most {count} messages a minute.")
    messages.success(request, said.format(domain=limit.domain, count=f"{limit.per_minute:g}"))
    return redirect("dashboard:channels")


@requires(Capability.ADMINISTER)
@require_POST
def unlimit_domain(request: HttpRequest, pk: int) -> HttpResponse:
    limit = get_object_or_404(DomainLimit, pk=pk)
    limits_domains.delete_domain_limit(limit=limit, by=staff_actor(request), now=timezone.now())
    said = _("{domain} has no limit any more.").format(domain=limit.domain)
    messages.success(request, said)
    return redirect("dashboard:channels")


urlpatterns = [
    path("channels/", index, name="channels"),
    path("channels/domains/", limit_domain, name="domain-limit"),
    path("channels/domains/<int:pk>/remove/", unlimit_domain, name="domain-unlimit"),
    path("channels/<uuid:uid>/reset/", reset, name="channel-account-reset"),
    path("channels/<uuid:uid>/unslow/", unslow, name="channel-account-unslow"),
    path("channels/add/<slug:key>/", add, name="channel-account-add"),
    path("channels/<uuid:uid>/", edit, name="channel-account"),
    path("channels/<uuid:uid>/switch/", switch, name="channel-account-switch"),
    path("channels/<uuid:uid>/test/", send_trial, name="channel-account-test"),
]
