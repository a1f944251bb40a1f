"""Forms of the channel pages: an account built from what its provider declares, a test message,
a domain's limit.
"""

from collections.abc import Iterable
from typing import Any, cast

from crispy_forms.layout import Div, Fieldset, Layout
from django import forms
from django.utils.html import escape
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.channels.contract import Provider, Setting
from apps.dashboard.shell.forms import plain_helper
from apps.followers.models import Address, Channel
from apps.notifications.accounts import edit, routing
from apps.notifications.accounts.try_out import REGISTERED, devices
from apps.notifications.models import ProviderAccount

KEEP = _("Leave empty to keep the stored one.")
# What is asked of somebody who said no place for a test.
WHERE = {
    Channel.EMAIL: _("Write the address the test should go to."),
    Channel.SMS: _("Write the phone number the test should go to."),
    Channel.VOICE: _("Write the phone number the test should go to."),
    Channel.WEBHOOK: _("Write the address the test should go to."),
    Channel.IN_APP: _("Name the follower the test should go to."),
}
WHICH_DEVICE = _("Choose the device the test should go to.")


def field_for(setting: Setting, stored: dict[str, Any]) -> forms.Field:
    """The form field of one declared setting.

    A secret is never shown again: empty keeps what is stored.
    """
    label = setting.title
    required = setting.required
    # a help text is HTML to Django, and "News <news@example.com>" is no tag
    said = escape(setting.hint)
    match setting.kind:
        case "integer":
            return forms.IntegerField(label=label, required=required, help_text=said, min_value=1)
        case "flag":
            return forms.BooleanField(label=label, required=False, help_text=said)
        case "choice":
            choices = setting.choices
            return forms.ChoiceField(
                label=label, required=required, help_text=said, choices=choices
            )
        case "secret":
            return _secret_field(setting, kept=bool(stored.get(setting.name)))
    return forms.CharField(label=label, required=required, help_text=said, max_length=500)


def _secret_field(setting: Setting, *, kept: bool) -> forms.Field:
    """The field of a secret; `kept`: one is stored, and empty leaves it so."""
    required = setting.required
    said: str = escape(setting.hint)
    if kept:
        required = False
        said = str(KEEP)
    label = setting.title
    if setting.lines:
        area = forms.Textarea({"rows": 4, "autocomplete": "off"})
        return forms.CharField(label=label, required=required, help_text=said, widget=area)
    box = forms.PasswordInput({"autocomplete": "new-password"}, render_value=False)
    return forms.CharField(label=label, required=required, help_text=said, strip=False, widget=box)


LIMITS = ("rate", "daily", "warmup_start", "warmup_first", "warmup_growth")
_HALVES = [Div(name, css_class="col-sm-6") for name in LIMITS]
_LIMITS = Fieldset(_("How much may leave"), Div(*_HALVES, css_class="row"))


class AccountForm(forms.Form):
    """Name and place of an account, then the settings its provider declares (as `s_<name>`)."""

    name = forms.CharField(label=_("Name"), max_length=100, help_text=_("What your team calls it."))
    position = forms.IntegerField(
        min_value=1,
        max_value=1000,
        initial=10,
        label=_("Order"),
        help_text=_("The lowest number is tried first."),
    )

    rate = forms.FloatField(
        required=False,
        min_value=0.01,
        max_value=100_000,
        label=_("Messages a second"),
        help_text=_(
            "At most; empty = as fast as the server takes them. Codes and receipts go first."
        ),
    )
    daily = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=2_000_000_000,
        label=_("Messages a day"),
        help_text=_(
            "At most, counted from midnight UTC. The rest takes the next account, or waits."
        ),
    )
    warmup_start = forms.DateField(
        required=False,
        label=_("Warm-up from"),
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        help_text=_("A new sender's first day. Receivers trust who grows slowly."),
    )
    warmup_first = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=2_000_000_000,
        label=_("Messages on that day"),
        help_text=_("50 to 100 are usual."),
    )
    warmup_growth = forms.FloatField(
        required=False,
        min_value=1,
        max_value=5,
        initial=1.5,
        label=_("Growth"),
        help_text=_("Each day so many times the day before, up to the messages a day."),
    )

    def __init__(
        self, data: Any = None, *, kind: type[Provider], account: ProviderAccount | None = None
    ) -> None:
        self.kind = kind
        stored: dict[str, Any] = {}
        initial: dict[str, Any] = {"name": kind.label}
        if account:
            stored = routing.settings_of(account)
            initial = {"name": account.name, "position": account.position}
            initial |= {name: getattr(account, name) for name in LIMITS}
        defaults = {setting.name: setting.default for setting in kind.settings}
        for name, value in (defaults | stored).items():
            initial[f"s_{name}"] = value
        super().__init__(data, initial=initial)
        places: list[Any] = ["name"]
        for setting in kind.settings:
            place = f"s_{setting.name}"
            places.append(place)
            self.fields[place] = field_for(setting, stored)
            if setting.kind == "secret":
                self.initial.pop(place, None)
        places.append("position")
        if kind.local:
            for name in LIMITS:
                del self.fields[name]
        else:
            places.append(_LIMITS)
        self.helper = plain_helper()
        self.helper.layout = Layout(*places)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        pair = {name: values.get(name) for name in ("warmup_start", "warmup_first")}
        if not any(pair.values()):
            return values
        for name, value in pair.items():
            if value is None and name not in self.errors:
                self.add_error(
                    name, gettext("A warm-up needs its first day and how much goes out on it.")
                )
        return values

    def limits(self) -> edit.AccountLimits:
        typed: dict[str, Any] = {name: self.cleaned_data.get(name) for name in LIMITS}
        typed["warmup_growth"] = typed["warmup_growth"] or 1.5
        return edit.AccountLimits(**typed)

    def settings(self) -> dict[str, Any]:
        """Values by the provider's own names; a secret left empty is absent."""
        values = {}
        for setting in self.kind.settings:
            typed = self.cleaned_data[f"s_{setting.name}"]
            if typed or setting.kind != "secret":
                values[setting.name] = typed
        return values


class TryForm(forms.Form):
    """The address that a test of an account goes to; the domain says what is wrong with a
    phone number or a token.
    """

    to = forms.CharField(label=_("Send a test to"), max_length=2000)

    def __init__(self, data: Any = None, *, account: ProviderAccount, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.channel = account.channel
        to = self.fields["to"]
        match account.channel:
            case Channel.EMAIL:
                self.fields["to"] = forms.EmailField(label=_("Send a test to"))
            case Channel.SMS | Channel.VOICE:
                phone = {"type": "tel", "autocomplete": "tel", "placeholder": "+49 151 12345678"}
                to.widget = forms.TextInput(phone)
            case Channel.WEBHOOK:
                to.widget = forms.URLInput({"placeholder": "https://example.com/hook"})
                to.help_text = _("The address of a follower's webhook is signed with its secret.")
            case Channel.IN_APP:
                to.label = _("Put a test into the inbox of")
                to.help_text = _("A follower's email, name or external id.")
            case _:
                self._choose(devices(account))

    def _choose(self, found: list[Address]) -> None:
        """Offer the devices that are registered; for an app also a box for its token,
        as a developer copies it from the log.
        """
        by_token = self.channel == Channel.PUSH
        empty = gettext("No device is registered yet")
        if found:
            empty = gettext("Choose a device")
        choices = [("", empty)]
        for device in found:
            choices.append((str(device.uid), f"{device.follower}: {device.label}"))
        self.fields["to"] = forms.ChoiceField(
            label=_("Send a test to"), choices=choices, required=not by_token
        )
        if by_token:
            self.fields["token"] = forms.CharField(
                label=_("Or to this token"), max_length=2000, required=False
            )

    def place(self) -> str:
        typed = self.cleaned_data
        return str(typed.get("token") or typed["to"])

    def shown(self) -> str:
        """Name the place for people to read: a token is nothing to show."""
        if self.channel not in REGISTERED:
            return self.place()
        offered = cast(forms.ChoiceField, self.fields["to"])
        names = dict(cast(Iterable[tuple[str, str]], offered.choices))
        chosen = self.cleaned_data["to"] or "none"
        return str(names.get(chosen, gettext("the token")))


class DomainForm(forms.Form):
    """How fast all accounts together may write to a receiving domain."""

    domain = forms.CharField(
        label=_("Domain"),
        max_length=253,
        widget=forms.TextInput({"placeholder": "example.com"}),
    )
    per_minute = forms.FloatField(label=_("Messages a minute"))
