"""Accounts of staff: created and changed by an admin, never deleted, so that the history keeps its
names.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from apps.accounts.models import Role, User
from apps.accounts.permissions import may_touch, rank
from apps.lib import wallclock
from apps.lib.actor import Actor, ActorKind
from apps.lib.facts import Kind, tell
from apps.lib.partial import UNSET, Unset, given
from apps.lib.refusals import Refused


class BadStaff(Refused):
    """A value can't be taken; `field` says whose, the message says what to do."""


@dataclass(frozen=True, slots=True)
class StaffValues:
    """What can be said of a member of staff; UNSET stays as it is, or is the model's default."""

    name: str | Unset = UNSET
    email: str | Unset = UNSET
    role: str | Unset = UNSET
    time_zone: str | Unset = UNSET
    language: str | Unset = UNSET  # "": their browser's
    active: bool | Unset = UNSET
    password: str | Unset = UNSET


_COLUMNS = {
    "email": "email",
    "role": "role",
    "time_zone": "time_zone",
    "language": "language",
    "active": "is_active",
}


def create_staff(*, username: str, values: StaffValues, by: Actor, now: dt.datetime) -> User:
    """Create an account, with a password at least.

    Raises BadStaff for a taken user name, a weak password, an unknown role or zone, and for a role
    above that of whoever acts.
    """
    _check(values)
    user = User(username=username, date_joined=now)
    _apply(user, values)
    actor = _staff_of(by)
    if actor and rank(user) > rank(actor):
        raise BadStaff(_("This role is above your own. Choose another one."), field="role")
    password = ""
    if values.password is not UNSET:
        password = values.password
    _set_password(user, password)
    try:
        with transaction.atomic():
            user.save()
            tell(Kind.STAFF_CREATED, by=by, now=now, about=user, data={"role": user.role})
    except IntegrityError as error:
        raise BadStaff(
            _("There is already an account named {name}. Choose another name.").format(
                name=username
            ),
            field="username",
        ) from error
    return user


def change_staff(
    *, user: User, values: StaffValues, by: Actor, now: dt.datetime, proven: bool = False
) -> User:
    """Change what was said of an account, and give it as it is now.

    `proven`: whoever acts has just typed their own password, which one's own email and password
    ask for. Nothing changed: nothing is recorded. Raises BadStaff as create_staff does, when the
    last active admin would lose the role or the account, and for an account that is not below that
    of whoever acts.
    """
    _check(values)
    with transaction.atomic():
        # Two admins who demote each other at the same moment must not both succeed.
        active = User.objects.filter(role=Role.ADMIN, is_active=True)
        admins = list(active.select_for_update().order_by("pk"))
        user = User.objects.select_for_update().get(pk=user.pk)
        _refuse_from_below(user, by)
        before = _state(user)
        _apply(user, values)
        if admins == [user] and (user.role != Role.ADMIN or not user.is_active):
            raise BadStaff(
                _("This is the last administrator. Make somebody else an administrator first."),
                field="role",
            )
        after = _state(user)
        data: dict[str, Any] = {}
        for name, old in before.items():
            if old != after[name]:
                data[name] = {"before": old, "after": after[name]}
        if values.password is not UNSET and values.password:
            _set_password(user, values.password)
            data["password"] = "changed"  # noqa: S105  # that it changed, never the words
        if by.id == str(user.uid) and not proven and {"email", "password"} & set(data):
            raise BadStaff(
                _(
                    "Change your own email and password under Your account: it asks for the "
                    "password that you have now."
                ),
                field="email",
            )
        if data:
            user.save()
            tell(Kind.STAFF_CHANGED, by=by, now=now, about=user, data=data)
    return user


def _staff_of(actor: Actor) -> User | None:
    """The member of staff who acts; None for a command or the system, which outrank everybody."""
    if actor.kind != ActorKind.STAFF:
        return None
    return User.objects.get(uid=actor.id)


def _refuse_from_below(user: User, by: Actor) -> None:
    actor = _staff_of(by)
    if actor and not may_touch(actor, user):
        raise BadStaff(
            _(
                "{name} stands as high as you or higher. Ask a superuser to change this account "
                "(“manage.py createsuperuser” makes one)."
            ).format(name=user.username),
            field="role",
        )


def _apply(user: User, values: StaffValues) -> None:
    if values.name is not UNSET:
        _set_name(user, values.name)
    said = given(values)
    for name, column in _COLUMNS.items():
        if name in said:
            setattr(user, column, said[name])


def _state(user: User) -> dict[str, Any]:
    return {
        "name": user.get_full_name(),
        "email": user.email,
        "role": user.role,
        "time_zone": user.time_zone,
        "language": user.language,
        "active": user.is_active,
    }


def _set_name(user: User, name: str) -> None:
    first, _blank, last = name.strip().partition(" ")
    user.first_name = first
    user.last_name = last


def _check(values: StaffValues) -> None:
    if values.role is not UNSET and values.role not in Role.values:
        raise BadStaff(
            _("{role} is not a role. Choose one of {roles}.").format(
                role=repr(values.role), roles=", ".join(Role.values)
            ),
            field="role",
        )
    if values.time_zone is not UNSET:
        try:
            wallclock.zone(values.time_zone)
        except wallclock.UnknownZone as error:
            raise BadStaff(str(error), field="time_zone") from error
    if values.language is not UNSET and values.language not in ("", *dict(settings.LANGUAGES)):
        said = _(
            "The pages don't speak {given!r}. Choose one of {known}, or none for the browser's."
        )
        known = ", ".join(dict(settings.LANGUAGES))
        raise BadStaff(said.format(given=values.language, known=known), field="language")


def _set_password(user: User, password: str) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise BadStaff(" ".join(error.messages), field="password") from error
    user.set_password(password)
