"""The providers that are wired, by key and by channel."""

from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext

from apps.channels.contract import Provider
from apps.lib.refusals import RefusalKind, Refused


class UnknownProvider(Refused):
    """No such key in settings.PROVIDERS."""

    kind = RefusalKind.MISSING


@cache
def provider(key: str) -> type[Provider]:
    """Imported on first use. Raises UnknownProvider."""
    try:
        found: type[Provider] = import_string(settings.PROVIDERS[key])
    except KeyError:
        known = ", ".join(sorted(settings.PROVIDERS))
        said = gettext("There is no provider {key!r}. Known: {known}.")
        raise UnknownProvider(said.format(key=key, known=known)) from None
    if found.key != key:
        raise UnknownProvider(
            f"{settings.PROVIDERS[key]} calls itself {found.key!r} but is wired as {key!r}."
        )
    return found


def providers() -> list[type[Provider]]:
    return [provider(key) for key in settings.PROVIDERS]
