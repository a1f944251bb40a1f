"""What a new site does next, in order: connect a sender, sign its mail, bring people, write."""

from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.accounts.permissions import Capability, may
from apps.campaigns.models import Campaign, CampaignState
from apps.channels.registry import provider
from apps.followers.models import Channel, Follower
from apps.lib import crypto
from apps.notifications.accounts.routing import settings_of
from apps.notifications.models import ProviderAccount

HERE = frozenset(("localhost", "127.0.0.1", "::1"))


@dataclass(frozen=True, slots=True)
class FirstStep:
    """One thing to do. `url` is where it is done, "" for those who may not do it;
    `guide` is where the docs explain it.
    """

    title: str
    why: str
    done: bool
    url: str
    guide: str


def first_steps(*, viewer: User) -> list[FirstStep]:
    """List the steps of a new site with those done marked; nothing once all of them are."""
    accounts = ProviderAccount.objects.filter(channel=Channel.EMAIL, enabled=True)
    senders = list(accounts)
    begun = Campaign.objects.exclude(state__in=(CampaignState.DRAFT, CampaignState.SCHEDULED))
    steps = [
        _step(
            _("Connect an email account"),
            _("Any SMTP server or email service. Its test tells you whether mail gets out."),
            done=bool(senders),
            may_do=may(viewer, Capability.ADMINISTER),
            page="dashboard:channels",
            guide="operate",
        ),
        _step(
            _("Sign your mail"),
            _("With DKIM, mailbox providers know that it comes from your domain."),
            done=any(_signs(account) for account in senders),
            may_do=may(viewer, Capability.ADMINISTER),
            page="dashboard:channels",
            guide="operate",
        ),
        _step(
            _("Bring your people"),
            _("Import a CSV file: you see what would happen before anything does."),
            done=Follower.objects.exists(),
            may_do=may(viewer, Capability.EDIT),
            page="dashboard:imports",
            guide="use",
        ),
        _step(
            _("Send a first campaign"),
            _("Write it, choose who gets it, look at it as one of them, and let it go."),
            done=begun.exists(),
            may_do=may(viewer, Capability.EDIT),
            page="dashboard:campaign-add",
            guide="use",
        ),
    ]
    if all(step.done for step in steps):
        return []
    return steps


def _step(title: str, why: str, *, done: bool, may_do: bool, page: str, guide: str) -> FirstStep:
    url = ""
    if may_do:
        url = reverse(page)
    return FirstStep(title, why, done, url, reverse("dashboard:handbook-chapter", args=[guide]))


def _signs(account: ProviderAccount) -> bool:
    """Whether mail of this account leaves with a signature. Services sign by themselves,
    and a mail server on this machine may: nobody is asked for what can't be known here.
    """
    declared = {setting.name for setting in provider(account.provider).settings}
    if "dkim_key" not in declared:
        return True
    try:
        values = settings_of(account)
    except crypto.Undecryptable:  # the channels page says so; here it is only not done
        return False
    return bool(values["dkim_key"]) or values["host"] in HERE
