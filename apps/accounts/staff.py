"""Accounts of staff: made and changed by an admin, never deleted,
so that the history keeps its names.
"""

import datetime as dt
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from apps.accounts.models import Role, User
from apps.lib import wallclock
from apps.lib.actor import Actor
from apps.lib.facts import Kind, tell
from apps.lib.refusals import Refused


class BadStaff(Refused):
    """A value can't be taken; `field` says whose, the message says what to do."""


def create_staff(
    *,
    username: str,
    email: str,
    password: str,
    role: str,
    name: str = "",
    time_zone: str = "UTC",
    by: Actor,
    now: dt.datetime,
) -> User:
    """Raises BadStaff for a taken user name, a weak password, an unknown role or zone."""
    _check(role=role, time_zone=time_zone)
    user = User(username=username, email=email, role=role, time_zone=time_zone, date_joined=now)
    _set_name(user, name)
    _check_password(password, user)
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save()
            tell(Kind.STAFF_CREATED, by=by, now=now, about=user, data={"role": role})
    except IntegrityError as error:
        raise BadStaff(
            f"There is already an account named {username}. Choose another name.", field="username"
        ) from error
    return user


def change_staff(*, user: User, by: Actor, now: dt.datetime, **changes: Any) -> User:
    """Change any of name, email, role, time_zone, active, password.

    Nothing changed: nothing is recorded.

    Raises BadStaff as create_staff does,
    and when the last active admin would lose the role or the account.
    """
    if unknown := set(changes) - {"name", "email", "role", "time_zone", "active", "password"}:
        raise TypeError(f"Unknown: {', '.join(sorted(unknown))}")
    _check(role=changes.get("role"), time_zone=changes.get("time_zone"))
    with transaction.atomic():
        # Two admins who demote each other at the same moment must not both succeed.
        admins = list(
            User.objects.select_for_update().filter(role=Role.ADMIN, is_active=True).order_by("pk")
        )
        user = User.objects.select_for_update().get(pk=user.pk)
        before = _state(user)
        if "name" in changes:
            _set_name(user, changes["name"])
        user.email = changes.get("email", user.email)
        user.role = changes.get("role", user.role)
        user.time_zone = changes.get("time_zone", user.time_zone)
        user.is_active = changes.get("active", user.is_active)
        if admins == [user] and (user.role != Role.ADMIN or not user.is_active):
            raise BadStaff(
                "This is the last administrator. Make somebody else an administrator first.",
                field="role",
            )
        after = _state(user)
        data: dict[str, Any] = {
            key: {"before": before[key], "after": after[key]}
            for key in before
            if before[key] != after[key]
        }
        if password := changes.get("password"):
            _check_password(password, user)
            user.set_password(password)
            data["password"] = "changed"  # noqa: S105  # that it changed, never the words
        if data:
            user.save()
            tell(Kind.STAFF_CHANGED, by=by, now=now, about=user, data=data)
    return user


def _state(user: User) -> dict[str, Any]:
    return {
        "name": user.get_full_name(),
        "email": user.email,
        "role": user.role,
        "time_zone": user.time_zone,
        "active": user.is_active,
    }


def _set_name(user: User, name: str) -> None:
    user.first_name, _, user.last_name = name.strip().partition(" ")


def _check(*, role: str | None, time_zone: str | None) -> None:
    if role is not None and role not in Role.values:
        raise BadStaff(
            f"{role!r} is not a role. Choose one of {', '.join(Role.values)}.", field="role"
        )
    if time_zone is not None:
        try:
            wallclock.zone(time_zone)
        except wallclock.UnknownZone as error:
            raise BadStaff(str(error), field="time_zone") from error


def _check_password(password: str, user: User) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise BadStaff(" ".join(error.messages), field="password") from error
