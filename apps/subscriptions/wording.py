"""The sentences of the public pages that depend on data; the others stand in the templates."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.followers.models import Channel
from apps.followers.verdict import Reason

# The edition of these pages' text, kept with every consent record as proof of what the person saw.
# Raise it whenever a sentence about agreeing or refusing changes its meaning.
EDITION = "public-pages-1"

CHANNELS = {
    Channel.EMAIL: _("Email"),
    Channel.SMS: _("SMS"),
    Channel.PUSH: _("Mobile push"),
    Channel.WEB_PUSH: _("Browser"),
    Channel.IN_APP: _("In-app"),
    Channel.WEBHOOK: _("Webhook"),
}

# Why a cell can't be changed, or why it does not do what its switch says.
NOTES = {
    Reason.NO_ADDRESS: _("we have no address of yours for this."),
    Reason.ADDRESS_UNCONFIRMED: _("your address is not confirmed yet."),
    Reason.ADDRESS_BOUNCED: _("messages to your address came back, so we stopped."),
    Reason.ADDRESS_SUPPRESSED: _("we no longer write to this address."),
    Reason.CRITICAL: _("always on, because you need to know."),
    Reason.LOCKED_ON: _("always on, because it is required."),
    Reason.UNSUBSCRIBED: _("off while you are unsubscribed from everything."),
    Reason.CHANNEL_OFF: _("off while you have this channel switched off."),
}

# Code kept with the opt-out, and what the person reads.
REASONS = {
    "too_many": _("I get too many messages"),
    "not_relevant": _("They are not interesting to me"),
    "not_me": _("I never asked for them"),
    "other": pgettext_lazy("reason for unsubscribing", "Something else"),
}


def masked(value: str) -> str:
    """Enough to recognise one's own address, too little to learn somebody's: a•••@example.com, ••• 89."""
    local, at, domain = value.rpartition("@")
    if at:
        return f"{local[0] if len(local) > 1 else ''}•••@{domain}"
    return f"••• {value[-2:]}"
