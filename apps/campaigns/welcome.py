"""Greet whoever signed up, through a form or in a file of sign-ups, once."""

import logging
from collections.abc import Sequence

from apps.followers.models import Follower, NotificationType, SignUpForm
from apps.lib.facts import Fact
from apps.notifications.models import Source
from apps.notifications.notify import Intent, NotNotifiable, notify

log = logging.getLogger("carillon.campaigns")


def on_signed_up(facts: Sequence[Fact]) -> None:
    """Send the welcome of the form or the import to each who joined, in the transaction in which
    they do.

    Somebody whom the same welcome reached before, in whatever way, is not greeted again.
    """
    for fact in facts:
        kind = _welcome_of(fact)
        follower = Follower.objects.filter(uid=fact.about.id).first()
        if kind and follower:
            _greet(follower, kind, fact)


def _welcome_of(fact: Fact) -> NotificationType | None:
    if key := fact.data.get("welcome"):  # of an import
        return NotificationType.objects.filter(key=key).first()
    form = SignUpForm.objects.filter(key=fact.data["form"]).select_related("welcome").first()
    if form is None:
        return None
    return form.welcome


def _greet(follower: Follower, kind: NotificationType, fact: Fact) -> None:
    intent = Intent(
        notification_type=kind, source=Source.PUBLIC_PAGE, dedup_key=f"welcome-{follower.uid}"
    )
    try:
        notify(intent=intent, recipients=[follower], by=fact.by, now=fact.at)
    except NotNotifiable as error:  # the template went: nobody is kept out for that
        log.error("Nobody is greeted: %s", error)
