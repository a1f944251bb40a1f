"""System checks: settings that would lose,
double or silently stop work are refused before anything starts.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.conf import settings
from django.core.checks import Error, Tags, Warning, register
from django.db import connections
from django.utils.module_loading import import_string

from apps.lib import wallclock
from apps.lib.queue.lanes import Lane

# django-q2 prefers each of these over the ORM broker. Its Redis broker pops without a receipt:
# a crash loses the task.
OTHER_BROKERS = ("broker_class", "iron_mq", "sqs")
OUR_BROKER = "apps.lib.queue.broker.ListeningBroker"  # the ORM broker, with a bell


@register()
def queue_is_safe(app_configs: Any, **kwargs: Any) -> list[Error]:
    """What was measured to lose or repeat tasks (docs/architecture.md, the queue)."""
    return [
        *_broker(settings.Q_CLUSTER),
        *_lanes(settings.Q_CLUSTER),
        *_no_pool(settings.DATABASES),
    ]


def _broker(cluster: Mapping[str, Any]) -> Iterator[Error]:
    chosen = [name for name in OTHER_BROKERS if cluster.get(name)]
    if cluster.get("broker_class") == OUR_BROKER:
        chosen.remove("broker_class")
    if cluster.get("orm") != "default":
        chosen.append(repr(cluster.get("orm")))
    if chosen:
        yield Error(
            f"Q_CLUSTER uses {chosen[0]} as its broker.",
            hint=(
                'Set "orm": "default". Only then is a task announced in the transaction of '
                "the change it belongs to."
            ),
            id="carillon.E001",
        )
    if cluster.get("catch_up", True):
        yield Error(
            "Q_CLUSTER catch_up is on.",
            hint=(
                'Set "catch_up": False, or after an outage every missed run is made up for at once.'
            ),
            id="carillon.E002",
        )
    missing = [lane.value for lane in Lane if lane.value not in cluster.get("ALT_CLUSTERS", {})]
    if missing:
        yield Error(
            f"Q_CLUSTER['ALT_CLUSTERS'] has no {', '.join(missing)}.",
            hint="Give each lane its cluster; without it the lane's process does not start.",
            id="carillon.E003",
        )


def _lanes(cluster: Mapping[str, Any]) -> Iterator[Error]:
    common = {name: value for name, value in cluster.items() if name != "ALT_CLUSTERS"}
    for lane, options in cluster.get("ALT_CLUSTERS", {}).items():
        yield from _lane(lane, {**common, **options})


def _lane(lane: str, options: Mapping[str, Any]) -> Iterator[Error]:
    workers = options.get("workers") or 1
    timeout = options.get("timeout")
    limit = options.get("queue_limit") or workers**2  # django-q2's default
    if options.get("bulk", 1) != 1:
        yield Error(
            f"The lane {lane} takes {options['bulk']} tasks at once.",
            hint='Set "bulk": 1. The retry clock of all of them starts when the first one does.',
            id="carillon.E004",
        )
    if limit > workers:
        yield Error(
            f"The lane {lane} keeps {limit} tasks in memory for {workers} workers.",
            hint=(
                "Set queue_limit to the number of workers; a task that waits in memory is given out"
                " a second time."
            ),
            id="carillon.E005",
        )
    if not options.get("max_attempts"):
        yield Error(
            f"The lane {lane} repeats a failing task for ever.",
            hint="Set max_attempts to 1 or more (0 means without end).",
            id="carillon.E006",
        )
    if not isinstance(timeout, int) or timeout <= 0:
        yield Error(
            f"The lane {lane} has timeout {timeout!r}.",
            hint=(
                "Set it to whole seconds, longer than any slice; without it a hanging task blocks a"
                " worker for ever."
            ),
            id="carillon.E007",
        )
    elif options.get("retry", 60) <= timeout * (limit / workers + 1):
        yield Error(
            f"The lane {lane} gives a task out again after {options.get('retry', 60)} s, while it"
            " may still run.",
            hint=(
                "Set retry above timeout * (queue_limit / workers + 1) ="
                f" {timeout * (limit / workers + 1):.0f} s."
            ),
            id="carillon.E008",
        )


def _no_pool(databases: Mapping[str, Any]) -> Iterator[Error]:
    for alias, database in databases.items():
        if database.get("OPTIONS", {}).get("pool"):
            yield Error(
                f"The database {alias!r} uses psycopg's pool.",
                hint=(
                    "Take `pool` out of its options: a pool does not survive the fork of the"
                    " workers (0 tasks run)."
                ),
                id="carillon.E009",
            )


@register()
def wiring_leads_somewhere(app_configs: Any, **kwargs: Any) -> list[Error]:
    """Every dotted path of notifications_project/wiring.py,
    and the name each provider gives itself.
    """
    paths = {f"PROVIDERS[{key!r}]": path for key, path in settings.PROVIDERS.items()}
    for kind, subscribers in settings.EVENT_SUBSCRIBERS.items():
        paths |= {
            f"EVENT_SUBSCRIBERS[{kind!r}][{number}]": path
            for number, path in enumerate(subscribers)
        }
    paths |= {f"SCHEDULES[{name!r}]": path for name, (path, _) in settings.SCHEDULES.items()}
    paths |= {f"EXPORTS[{kind!r}]": path for kind, path in settings.EXPORTS.items()}
    paths |= {name: getattr(settings, name) for name in ("PERSON_EXPORT", "PERSON_ARCHIVE")}
    return [
        error for place, path in paths.items() for error in _leads_somewhere(place, path)
    ] + list(_provider_keys())


def _leads_somewhere(place: str, path: str) -> Iterator[Error]:
    try:
        found = import_string(path)
    except ImportError as error:
        yield Error(
            f"{place} names {path!r}, which can't be imported: {error}.",
            hint="Correct the path in notifications_project/wiring.py.",
            id="carillon.E010",
        )
        return
    if not callable(found):
        yield Error(
            f"{place} names {path!r}, which can't be called.",
            hint="Name a function or class in notifications_project/wiring.py.",
            id="carillon.E011",
        )


def _provider_keys() -> Iterator[Error]:
    for key, path in settings.PROVIDERS.items():
        try:
            calls_itself = getattr(import_string(path), "key", None)
        except ImportError:
            continue  # told above
        if calls_itself != key:
            yield Error(
                f"PROVIDERS[{key!r}] names {path!r}, which calls itself {calls_itself!r}.",
                hint="Use the provider's own `key`: accounts store it.",
                id="carillon.E012",
            )


@register()
def nobody_can_make_us_call_ourselves(app_configs: Any, **kwargs: Any) -> list[Error]:
    """Refuse loopback in production: whoever gives us an address must not reach what only this
    machine can.
    """
    if not (settings.PRODUCTION and settings.ALLOW_LOOPBACK):
        return []
    return [
        Error(
            "ALLOW_LOOPBACK is on in production.",
            hint=(
                "Take ALLOW_LOOPBACK out of the environment: a webhook's address could name our own"
                " services."
            ),
            id="carillon.E013",
        )
    ]


@register()
def the_sites_zone_is_a_place(app_configs: Any, **kwargs: Any) -> list[Error]:
    """Refuse "localtime" and the like, which mean another zone on each machine."""
    try:
        wallclock.zone(settings.TIME_ZONE)
    except wallclock.UnknownZone as error:
        hint = "Set TIME_ZONE to the name of a place, such as Europe/Berlin, or to UTC."
        return [Error(f"TIME_ZONE: {error}", hint=hint, id="carillon.E014")]
    return []


@register(Tags.database)
def letters_have_upper_and_lower_case(
    app_configs: Any, databases: Iterable[str] | None = None, **kwargs: Any
) -> list[Warning]:
    """Warn of a database that folds ASCII letters only: one with the locale C."""
    return [_folds_ascii_only(name) for name in databases or () if not _knows_letters(name)]


def _knows_letters(name: str) -> bool:
    # on SQLite the first is true (lib/sql/letter_case.py), on PostgreSQL the second
    with connections[name].cursor() as cursor:
        cursor.execute("SELECT 'Я' LIKE 'я', UPPER('я') = 'Я'")
        return any(cursor.fetchone())


def _folds_ascii_only(name: str) -> Warning:
    return Warning(
        f"The database {name!r} knows upper and lower case of ASCII letters only.",
        hint=(
            "Searches and segments tell Москва from москва. Create the database anew with "
            "LC_CTYPE 'C.UTF-8' or that of a language, and move the data."
        ),
        id="carillon.W001",
    )
