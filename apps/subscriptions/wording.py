"""The sentences of the public pages that depend on data; the others stand in the templates."""

import datetime as dt

from django.utils.formats import date_format
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from apps.followers.consent.verdict import Reason
from apps.followers.devices.phone_codes import CodeResult
from apps.followers.models import Channel, DigestCadence
from apps.followers.privacy.codes import Typed

# The edition of these pages' text, kept with every consent record as proof of what the person saw.
# Raise it whenever a sentence about agreeing or refusing changes its meaning.
EDITION = "public-pages-2"

CHANNELS = {
    Channel.EMAIL: _("Email"),
    Channel.SMS: _("SMS"),
    Channel.PUSH: _("Mobile push"),
    Channel.WEB_PUSH: _("Browser"),
    Channel.IN_APP: _("In-app"),
    Channel.WEBHOOK: _("Webhook"),
    Channel.VOICE: _("Phone call"),
}

# Why a cell can't be changed, or why it does not do what its switch says.
NOTES = {
    Reason.NO_ADDRESS: _("we have no address of yours for this."),
    Reason.ADDRESS_UNCONFIRMED: _("your address is not confirmed yet."),
    Reason.ADDRESS_BOUNCED: _("messages to your address came back, so we stopped."),
    Reason.ADDRESS_SUPPRESSED: _("we no longer write to this address."),
    Reason.ADDRESS_OFF: _("this address is switched off."),
    Reason.CRITICAL: _("always on, because you need to know."),
    Reason.LOCKED_ON: _("always on, because it is required."),
    Reason.UNSUBSCRIBED: _("off while you are unsubscribed from everything."),
    Reason.CHANNEL_OFF: _("off while you have this channel switched off."),
}

# Where something can be done about it.
NO_ADDRESS = {
    Channel.SMS: _("no phone yet – add one below."),
    Channel.VOICE: _("no phone yet – add one below."),
    Channel.WEB_PUSH: _("no browser yet – add this one below."),
    Channel.PUSH: _("no phone with our app yet – it connects itself when you log in there."),
}

CADENCES = {
    DigestCadence.INSTANT: _("At once"),
    DigestCadence.HOURLY: _("Once an hour, together"),
    DigestCadence.DAILY: _("Once a day, together"),
    DigestCadence.WEEKLY: _("Once a week, together"),
}

PAUSED = _("Nothing but necessary messages until %(when)s (%(zone)s). The others wait until then.")
QUIET = _("Your quiet hours: nothing but necessary messages until %(when)s (%(zone)s).")
BAD_PAUSE = _("Choose a day from tomorrow on, at most a year ahead.")

OWN_UNKEPT = _("This is more than we can keep. Write less; all else that you changed is saved.")
OLD_LINK = _("This link is too old to add something new. Let us mail you a fresh one.")
BAD_EMAIL = _("This does not look like an email address. It needs an @, such as name@example.com.")
BAD_NUMBER = _(
    "This is no phone number. Write it with + and the country code, such as +49 30 1234567."
)
TOO_MANY_CODES = _("We sent a code not long ago. Use that one, or try again later.")
CODE_ANSWERS = {
    CodeResult.WRONG: _("This is not the code we sent. Look again."),
    CodeResult.OVER: _("This code is not good any more. Let us send you another one."),
    CodeResult.TAKEN: _("This number belongs to somebody else here. Please write to us."),
}

WRONG_CODE = {
    Typed.WRONG: _("This is not the code we sent. Look again."),
    Typed.OVER: _("This code is not good any more. Let us send you another one."),
}

# Code kept with the opt-out, and what the person reads.
REASONS = {
    "too_many": _("I get too many messages"),
    "not_relevant": _("They are not interesting to me"),
    "not_me": _("I never asked for them"),
    "other": pgettext_lazy("reason for unsubscribing", "Something else"),
}


def masked(value: str) -> str:
    """Mask an address: enough to recognise one's own, too little to learn somebody's.

    a•••@example.com, ••• 89.
    """
    local, at, domain = value.rpartition("@")
    if not at:
        return f"••• {value[-2:]}"
    if len(local) > 1:
        return f"{local[0]}•••@{domain}"
    return f"•••@{domain}"


def moment(at: dt.datetime, *, now: dt.datetime) -> str:
    """Say when, as people do: 14:30, tomorrow 08:00, 24 May 08:00. Both in the reader's zone."""
    clock = f"{at:%H:%M}"
    if at.date() == now.date():
        return clock
    if at.date() == now.date() + dt.timedelta(days=1):
        tomorrow = gettext("tomorrow")
        return f"{tomorrow} {clock}"
    day = "j E"
    if at.year != now.year:
        day = "j E Y"
    return f"{date_format(at, day)} {clock}"
