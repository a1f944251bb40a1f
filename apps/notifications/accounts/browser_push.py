"""The key that a browser subscribes with."""

from apps.channels.contract import BadSettings
from apps.channels.push.web_push import public_key_of
from apps.followers.models import Channel
from apps.lib.crypto import Undecryptable
from apps.notifications.accounts.routing import settings_of
from apps.notifications.models import ProviderAccount


def vapid_public_key() -> str | None:
    """The `applicationServerKey`, base64url, of the first account for web push that is switched
    on; None without one that can be read.
    """
    account = ProviderAccount.objects.filter(channel=Channel.WEB_PUSH, enabled=True).first()
    if account is None:
        return None
    try:
        return public_key_of(settings_of(account))
    except (BadSettings, Undecryptable):
        # a lost key of ours must not take the page away on which people opt out
        return None
