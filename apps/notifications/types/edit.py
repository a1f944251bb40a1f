"""Message types: make and change a notification type, and say which template speaks for it."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext, gettext_lazy

from apps.content.models import Template
from apps.followers.models import Category, Channel, DoubtPolicy, NotificationType
from apps.lib.actor import Actor
from apps.lib.facts import Kind, tell
from apps.lib.refusals import UNFIT, RefusalKind, Refused, not_one_of
from apps.lib.written import grouped
from apps.notifications.models import TypeTemplate
from apps.notifications.types.data_schema import BadSchema, check_schema

YEAR = 366 * 24 * 3600  # seconds
# What is said of channels on which a type is not offered.
_NOT_OFFERED = {
    "default_channels": gettext_lazy(
        "{channels} can't be on by default: this type is not offered there."
    ),
    "locked_channels": gettext_lazy("{channels} can't be locked: this type is not offered there."),
}


class BadType(Refused):
    """Values that can't go together; `field` is the one to change."""


class TypeKeyTaken(BadType):
    """Another type has this key."""

    kind = RefusalKind.STATE
    field = "key"


@dataclass(frozen=True, slots=True)
class TypeValues:
    """All that staff decide about a type. `translations`: {"ru": {"name", "description"}}."""

    name: str
    description: str = ""
    category: str = Category.INFORMATIONAL
    commercial: bool = False
    channels: Sequence[str] = ()
    default_channels: Sequence[str] = ()
    locked_channels: Sequence[str] = ()
    doubt_policy: str = DoubtPolicy.RESEND
    active: bool = True
    position: int = 100
    listed: bool = True
    translations: Mapping[str, Mapping[str, str]] | None = None
    schema: Mapping[str, Any] | None = None
    lifetime: int | None = None  # seconds, as the ones below
    digest: bool = False
    throttle_count: int | None = None
    throttle_seconds: int | None = None
    fallback: Sequence[str] = ()
    fallback_after: int = 300


def check(values: TypeValues) -> None:
    """The rules the database also keeps, and those it can't. Raises BadType with what to do."""
    if not values.name.strip():
        raise BadType(
            gettext("Give this message type a name; followers read it in their preferences."),
            field="name",
        )
    if values.category not in Category.values:
        raise BadType(not_one_of(repr(values.category), Category.values), field="category")
    if values.doubt_policy not in DoubtPolicy.values:
        said = not_one_of(repr(values.doubt_policy), DoubtPolicy.values)
        raise BadType(said, field="doubt_policy")
    if values.category == Category.MARKETING and not values.commercial:
        raise BadType(
            gettext(
                "Marketing is always commercial: it obeys the global opt-out. Tick Commercial."
            ),
            field="commercial",
            cause=UNFIT,
        )
    if values.category == Category.CRITICAL and values.commercial:
        raise BadType(
            gettext(
                "Critical messages can't be switched off, so they can't be commercial. "
                "Untick Commercial."
            ),
            field="commercial",
        )
    if values.commercial and not values.listed:
        raise BadType(
            gettext("People must find what they may refuse: list commercial messages."),
            field="listed",
            cause=UNFIT,
        )
    if not values.channels:
        raise BadType(
            gettext("Choose at least one channel; without one nothing of this type can be sent."),
            field="channels",
        )
    if unknown := sorted(set(values.channels) - set(Channel.values)):
        raise BadType(not_one_of(", ".join(unknown), Channel.values), field="channels")
    for field, refusal in _NOT_OFFERED.items():
        if extra := sorted(set(getattr(values, field)) - set(values.channels)):
            raise BadType(refusal.format(channels=_labels(extra)), field=field, cause=UNFIT)
    if values.locked_channels and values.commercial:
        # a lock goes before the global opt-out (followers/consent/verdict.py)
        raise BadType(
            gettext("Commercial messages can't be locked on: people must be able to refuse them."),
            field="locked_channels",
        )
    _check_sending(values)


def refuse_unasked_marketing(values: TypeValues, before: TypeValues | None = None) -> None:
    """Refuse marketing that begins to go to people who never asked for it, unless the site says
    otherwise (MARKETING_OPT_IN). Raises BadType.

    What was so before stays: an upgrade must not keep staff from saving a type.
    """
    if not settings.MARKETING_OPT_IN or values.category != Category.MARKETING:
        return
    had: Sequence[str] = ()
    if before and before.category == Category.MARKETING:
        had = before.default_channels
    if set(values.default_channels) - set(had):
        raise BadType(
            gettext(
                "Marketing is opt-in on this site: leave “On by default” empty, and it goes to "
                "those who switch it on. MARKETING_OPT_IN=0 in the settings lets it go to "
                "everybody."
            ),
            field="default_channels",
            cause=UNFIT,
        )


def _check_sending(values: TypeValues) -> None:
    if values.schema is not None:
        try:
            check_schema(values.schema)
        except BadSchema as error:
            raise BadType(str(error), field="schema", cause=UNFIT) from error
    if values.digest and values.category == Category.CRITICAL:
        raise BadType(
            gettext("Critical messages go at once, so they can't wait for a digest. Untick it."),
            field="digest",
        )
    if (values.throttle_count is None) != (values.throttle_seconds is None):
        missing = "throttle_seconds"
        if values.throttle_count is None:
            missing = "throttle_count"
        raise BadType(
            gettext("A throttle is a number of messages and a time: give both, or neither."),
            field=missing,
            cause=UNFIT,
        )
    for field, most in (("lifetime", YEAR), ("throttle_seconds", YEAR), ("throttle_count", 1000)):
        number = getattr(values, field)
        if number is not None and not 1 <= number <= most:
            said = gettext("Give a number from 1 to {most}, or none.")
            raise BadType(said.format(most=grouped(most)), field=field)
    if len(values.fallback) == 1 or len(set(values.fallback)) < len(values.fallback):
        raise BadType(
            gettext("Name two or more different channels, or none: then all are used at once."),
            field="fallback",
        )
    if extra := sorted(set(values.fallback) - set(values.channels)):
        said = gettext("{channels} can't be in the chain: this type is not offered there.")
        raise BadType(said.format(channels=", ".join(extra)), field="fallback", cause=UNFIT)
    if not 1 <= values.fallback_after <= YEAR:
        said = gettext("Give a number from 1 to {most}.").format(most=grouped(YEAR))
        raise BadType(said, field="fallback_after")


def _labels(channels: Sequence[str]) -> str:
    return ", ".join(str(Channel(channel).label) for channel in channels)


def create_type(
    *,
    key: str,
    values: TypeValues,
    template: Template | None = None,
    confirms: bool = False,
    by: Actor,
    now: dt.datetime,
) -> NotificationType:
    """Create a type; with `confirms` the one that asks people to confirm their address.

    Raises BadType, also for a key that is taken.
    """
    check(values)
    refuse_unasked_marketing(values)
    try:
        with transaction.atomic():
            made = NotificationType.objects.create(key=key, confirms=confirms, **_columns(values))
            _speak(made, template)
            data = {"before": {}, "after": _described(values, template)}
            tell(Kind.TYPE_CHANGED, by=by, now=now, about=made, data=data)
    except IntegrityError:
        if not NotificationType.objects.filter(key=key).exists():
            raise
        said = gettext("There is already a message type with the key {key}.").format(key=key)
        raise TypeKeyTaken(said) from None
    return made


def change_type(
    *,
    notification_type: NotificationType,
    values: TypeValues,
    template: Template | None,
    by: Actor,
    now: dt.datetime,
) -> NotificationType:
    """Change a type, and give it as it is now; what followers chose stays as it is.

    Raises BadType. Nothing is written when nothing differs.
    """
    check(values)
    with transaction.atomic():
        row = NotificationType.objects.select_for_update().get(pk=notification_type.pk)
        refuse_unasked_marketing(values, values_of(row))
        before = _described(values_of(row), template_of(row))
        after = _described(values, template)
        changed = [name for name in after if before[name] != after[name]]
        if changed:
            columns = _columns(values)
            for name, value in columns.items():
                setattr(row, name, value)
            row.save(update_fields=list(columns))
            _speak(row, template)
            data = {
                "before": {name: before[name] for name in changed},
                "after": {name: after[name] for name in changed},
            }
            tell(Kind.TYPE_CHANGED, by=by, now=now, about=row, data=data)
    return row


def values_of(row: NotificationType) -> TypeValues:
    """What staff have decided about the type."""
    return TypeValues(**{name: getattr(row, name) for name in TypeValues.__dataclass_fields__})


def template_of(notification_type: NotificationType) -> Template | None:
    """The template that speaks for this type when a caller names none."""
    links = TypeTemplate.objects.filter(notification_type=notification_type)
    link = links.select_related("template").first()
    if link:
        return link.template
    return None


def _columns(values: TypeValues) -> dict[str, Any]:
    """The values as the columns hold them: lists, not tuples, are what comes back from JSON, and
    what a comparison must meet.
    """
    columns = asdict(values)
    for name in ("channels", "default_channels", "locked_channels", "fallback"):
        columns[name] = list(columns[name])
    given = values.translations or {}
    columns["translations"] = {language: dict(words) for language, words in given.items()}
    return columns


def _described(values: TypeValues, template: Template | None) -> dict[str, Any]:
    key = None
    if template:
        key = template.key
    return _columns(values) | {"template": key}


def _speak(row: NotificationType, template: Template | None) -> None:
    if template is None:
        TypeTemplate.objects.filter(notification_type=row).delete()
    else:
        TypeTemplate.objects.update_or_create(
            notification_type=row, defaults={"template": template}
        )
