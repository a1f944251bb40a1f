"""Deliveries of a real campaign that this process holds:
for what is measured without the worker's processes.
"""

import time
from collections.abc import Iterator
from typing import Any

from bench import mailservers, site
from bench.processes import DidNotWork


def plan(size: int) -> None:
    """A campaign to the first `size` people, planned here and now; nothing sends it."""
    from apps.campaigns.launch import launch
    from apps.campaigns.models import Run

    site.forget_campaigns()
    site.send_through(mailservers.NOBODY)
    notification = site.press_send(site.first(size))
    deadline = time.monotonic() + 120
    while site.state_of(notification) == "planning":
        launch(run_id=Run.objects.get().pk)
        if time.monotonic() > deadline:
            raise DidNotWork("The campaign could not be planned.")


def claims(owner: str, size: int) -> Iterator[list[Any]]:
    """All that is due, in claims of at most `size` rows."""
    from apps.lib.queue.lanes import Lane
    from apps.notifications.sending.claim import claim

    while batch := claim(Lane.BULK, owner=owner, size=size):
        yield batch.rows


def account_settings() -> dict[str, Any]:
    from apps.notifications.accounts.routing import settings_of
    from apps.notifications.models import ProviderAccount

    return settings_of(ProviderAccount.objects.get(channel="email"))
