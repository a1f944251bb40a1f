"""Greet whoever signed up through a form, once."""

import logging
from collections.abc import Sequence

from apps.followers.models import Follower, NotificationType, SignUpForm
from apps.lib.facts import Fact
from apps.notifications.models import Source
from apps.notifications.notify import Intent, NotNotifiable, notify

log = logging.getLogger("carillon.campaigns")


def on_signed_up(facts: Sequence[Fact]) -> None:
    """Send the form's welcome to each who joined, in the transaction in which they do.

    Somebody whom the same welcome reached before, through whatever form, is not greeted again.
    """
    for fact in facts:
        form = SignUpForm.objects.filter(key=fact.data["form"]).select_related("welcome").first()
        follower = Follower.objects.filter(uid=fact.about.id).first()
        if form is None or form.welcome is None or follower is None:
            continue
        _greet(follower, form.welcome, fact)


def _greet(follower: Follower, kind: NotificationType, fact: Fact) -> None:
    intent = Intent(
        notification_type=kind, source=Source.PUBLIC_PAGE, dedup_key=f"welcome-{follower.uid}"
    )
    try:
        notify(intent=intent, recipients=[follower], by=fact.by, now=fact.at)
    except NotNotifiable as error:  # the template went: nobody is kept out for that
        log.error("Nobody is greeted: %s", error)
