"""`python -m bench.ask_audiences SEGMENTS`: reviews of campaigns and random segments on a database
that `manage.py seed` has filled. Writes what they took (seconds) as JSON.

In this process, without a web server: what is measured is Carillon and its database. Who matches a
segment is asked of Python, too, for some of the followers.
"""

import json
import os
import random
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bench.open_pages import OVER_TLS, yardstick
from bench.processes import DidNotWork

if TYPE_CHECKING:
    from apps.campaigns.models import Campaign
    from apps.followers.models import Follower
    from tests.campaigns.world import Vocabulary

ROUNDS = 3
ASK_AGAIN = 0.1  # seconds
ASKED_BY_HAND = 3000  # followers, for each segment


def main(segments: int) -> dict[str, Any]:
    import django

    django.setup()
    from django.test.utils import setup_test_environment

    setup_test_environment()
    return {"count": yardstick() / 1000, **_reviews(), "segments": list(_segments(segments))}


def _timed(act: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    found = act()
    return time.perf_counter() - began, found


# ------------------------------------------------------------------ reviews
def _reviews() -> dict[str, Any]:
    """Times of the review to everybody, and of the audience that a program asks for."""
    from django.urls import reverse

    from tests.site_pages import logged_in, with_key

    client = logged_in()
    key = with_key()
    everyone = _draft({"everyone": True})
    page = reverse("dashboard:campaign-review", args=[everyone.uid])
    numbers = reverse("dashboard:campaign-numbers", args=[everyone.uid])
    tagged = _draft({"tags": ["product-news"]})
    audience = f"/api/v1/campaigns/{tagged.uid}/audience"

    def fetched(url: str, headers: dict[str, str]) -> bytes:
        answer = client.get(url, headers=headers | OVER_TLS, secure=True)
        if answer.status_code not in (200, 202):
            raise DidNotWork(f"{url}: {answer.status_code}")
        return answer.getvalue()

    def counted() -> dict[str, Any]:
        """What a program is told, which asks again where it gets 202 first."""
        told: dict[str, Any] = json.loads(fetched(f"{audience}?again=true", key))
        while told.get("status") == "counting":
            time.sleep(ASK_AGAIN)
            told = json.loads(fetched(f"{audience}/{told['id']}", key))
        review: dict[str, Any] = told.get("review", told)
        return review

    found: dict[str, Any] = {"paint": [], "numbers": [], "audience": []}
    fetched(page, {})  # compiles its templates
    for _ in range(ROUNDS):
        found["paint"].append(_timed(lambda: fetched(page, {}))[0])
        found["numbers"].append(_timed(lambda: fetched(f"{numbers}?again", {}))[0])
        seconds, told = _timed(counted)
        found["audience"].append(seconds)
        found["people"] = told["total"]
    return found


def _draft(audience: dict[str, Any]) -> "Campaign":
    from django.utils import timezone

    from apps.campaigns import compose
    from apps.followers.models import NotificationType
    from apps.lib.actor import command

    values = compose.CampaignValues(
        name="Asked about",
        notification_type=NotificationType.objects.get(key="promotion"),
        channels=["email"],
        audience=audience,
        translations={"en": {"email": {"subject": "News", "html": "<p>News</p>"}}},
    )
    now = timezone.now()
    return compose.create_campaign(values=values, by=command("bench"), now=now)


# ------------------------------------------------------------------ segments
def _vocabulary() -> "Vocabulary":
    from apps.ops.seed.crowd import CITIES, DOMAINS, TAGS
    from tests.campaigns.world import Vocabulary

    return Vocabulary(
        pools={
            "name": ["an", "Mar", "ов", "Li", "Zz", "a b"],
            "language": ["en", "RU", "pt", "pl", "xx"],
            "time_zone": ["Europe/Berlin", "Europe/", "America"],
            "email_domain": [*DOMAINS, "nobody.example"],
            "tag": [name.lower().replace(" ", "-") for name in TAGS],
            "metadata.plan": ["pro", "Free", "team", "none"],
            "metadata.city": [*CITIES, "são", "new"],
            "metadata.orders": ["3", "24", "0", "99"],
            "metadata.score": ["7", "900", "999", "1000"],
            "metadata.source": ["shop", "form", "Import"],
            "metadata.none": ["x", "y"],
        },
        days=["2024-05-10", "2025-10-01", "2026-05-01"],
        spans=[30, 200, 700],
        numbers=[3, 24, 900],
        kind="promotion",
    )


def _segments(many: int) -> Any:
    from tests.campaigns.world import facts_of, random_rules

    words = _vocabulary()
    dice = random.Random(2026)
    some = _some(dice)
    facts = {person.pk: facts_of(person) for person in some}
    for _ in range(many):
        yield _segment(random_rules(dice, words=words), facts)


def _some(dice: random.Random) -> "list[Follower]":
    from apps.followers.models import Follower

    last = Follower.objects.latest("pk").pk
    ids = dice.sample(range(1, last + 1), min(ASKED_BY_HAND, last))
    about = ("addresses", "taggings__tag", "preferences__notification_type")
    return list(Follower.objects.filter(pk__in=ids).prefetch_related(*about))


def _segment(rules: dict[str, Any], facts: dict[int, dict[str, Any]]) -> dict[str, Any]:
    from apps.campaigns.audience.how_many import exactly
    from apps.campaigns.audience.matches import matches_of
    from apps.campaigns.audience.sql import rules_to_q
    from apps.followers.models import Follower
    from tests.campaigns.world import NOW, matches

    live, said = _timed(lambda: matches_of(rules, now=NOW))
    people = Follower.objects.filter(rules_to_q(rules, now=NOW))
    seconds, number = _timed(lambda: exactly(people))
    by_sql = set(people.filter(pk__in=facts).values_list("pk", flat=True))
    by_hand = {pk for pk, known in facts.items() if matches(known, rules)}
    if by_sql != by_hand:
        raise DidNotWork(f"SQL and Python differ about {sorted(by_sql ^ by_hand)[:5]}: {rules}")
    told = None
    below = False
    if said.how_many is not None:
        told = said.how_many.number
        below = said.how_many.below
    return {
        "rules": rules,
        "live": live,
        "told": told,
        "is_exact": said.exact,
        "below": below,
        "number": number,
        "exactly": seconds,
    }


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifications_project.settings")
    json.dump(main(int(sys.argv[1])), sys.stdout)
