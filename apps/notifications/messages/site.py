"""What our own settings say in every message, put together once: to ask the settings for each of a
million mails would cost more than to sign its links.
"""

from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings
from django.urls import reverse

from apps.content.liquid.fixed import MANAGING, VIEWING, SameForAll


@dataclass(frozen=True, slots=True)
class OwnAddress:
    """One of our own addresses: what stands before and after its token."""

    before: str
    after: str

    def __call__(self, token: str) -> str:
        return self.before + token + self.after


@dataclass(frozen=True, slots=True)
class Site:
    values: dict[str, str]  # `site` of a template
    preferences: OwnAddress
    unsubscribe: OwnAddress
    confirm: OwnAddress
    view: OwnAddress
    # what a mail says to every reader though it stands in braces
    known: SameForAll
    known_commercial: SameForAll


def own_site() -> Site:
    """The site by its settings."""
    return _site(settings.SITE_NAME, settings.SITE_URL, settings.SITE_ADDRESS)


@lru_cache(maxsize=4)
def _site(name: str, url: str, address: str) -> Site:
    values = {"name": name, "url": url, "address": address}
    preferences = _address(url, "subscriptions:preferences")
    unsubscribe = _address(url, "subscriptions:unsubscribe")
    known = {("site", each): text for each, text in values.items()}
    view = _address(url, "subscriptions:view")
    known["links", "preferences"] = preferences(MANAGING)
    commercial = {
        **known,
        ("links", "unsubscribe"): unsubscribe(MANAGING),
        ("links", "view"): view(VIEWING),
    }
    known["links", "unsubscribe"] = ""
    known["links", "view"] = ""
    return Site(
        values,
        preferences,
        unsubscribe,
        _address(url, "subscriptions:confirm"),
        view,
        frozenset(known.items()),
        frozenset(commercial.items()),
    )


def _address(url: str, name: str) -> OwnAddress:
    before, after = reverse(name, args=["TOKEN"]).split("TOKEN")
    return OwnAddress(url + before, after)
