"""The sentences of these pages that depend on data: why a message came, what was said and where."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.followers.consent.verdict import Reason
from apps.notifications.models import Source

# The rule that let a message go, by the reason that is stored with it.
WHY: dict[str, Promise] = {
    Reason.CRITICAL: _("Such messages always come: they tell you what you must know."),
    Reason.LOCKED_ON: _("We are required to send it to everybody whom it concerns."),
    Reason.PREFERENCE_ON: _("You chose to get such messages."),
    Reason.DEFAULT_ON: _("Such messages come until somebody switches them off, and you had not."),
}
WHY_ELSE = _("You had not switched such messages off when it was sent.")

# What set it off.
FROM: dict[str, Promise] = {
    Source.CAMPAIGN: _("It went to many readers at once."),
    Source.RECURRING: _("It goes to many readers again and again."),
    Source.EVENT: _("Something that happened with you or your account set it off."),
    Source.API: _("It was about you or your account."),
    Source.DIGEST: _("It gathers messages that you let wait."),
    Source.PUBLIC_PAGE: _("It was asked for on these pages."),
}

ACTS: dict[str, Promise] = {
    "subscribed": pgettext_lazy("consent", "You subscribed"),
    "unsubscribed": pgettext_lazy("consent", "You unsubscribed from everything"),
    "preferences_changed": pgettext_lazy("consent", "Your choices changed"),
    "rhythm_changed": pgettext_lazy("consent", "Your delivery preferences changed"),
    "phone_confirmed": pgettext_lazy("consent", "You confirmed a phone number"),
    "address_confirmed": pgettext_lazy("consent", "You confirmed your address"),
    "address_taken_back": pgettext_lazy("consent", "You took your address back"),
    "merged": pgettext_lazy("consent", "Two entries about you became one"),
    "signed_up": pgettext_lazy("consent", "You signed up"),
    "address_suppressed": pgettext_lazy("consent", "We stopped writing to an address"),
    "address_released": pgettext_lazy("consent", "We write to an address again"),
}
WHERE: dict[str, Promise] = {
    "preference_center": pgettext_lazy("consent", "on your preferences page"),
    "address_page": pgettext_lazy("consent", "on a page that we mailed you a link to"),
    "one_click": pgettext_lazy("consent", "with the unsubscribe button of a mail program"),
    "sign_up_form": pgettext_lazy("consent", "with a sign-up form"),
    "merge": pgettext_lazy("consent", "by our staff, who found both"),
    "staff": pgettext_lazy("consent", "by our staff, for you"),
    "import": pgettext_lazy("consent", "in a list that we took over"),
    "api": pgettext_lazy("consent", "in an app or on a site of ours"),
    "sms": pgettext_lazy("consent", "with a text message"),
}
