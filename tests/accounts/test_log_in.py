"""Guessing passwords comes to an end, and the audit log tells of it."""

from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import AuditEntry
from tests.make import make_staff

pytestmark = [pytest.mark.django_db, pytest.mark.reported]
PASSWORD = "correct-horse-battery"
WRONG = "wrong"


def log_in(name: str, password: str = WRONG, *, ip: str = "192.0.2.1") -> int:
    said = {"username": name, "password": password}
    return Client(REMOTE_ADDR=ip).post("/login/", said).status_code


def kinds() -> list[str]:
    return list(AuditEntry.objects.order_by("pk").values_list("kind", flat=True))


def test_one_password_is_not_tried_on_fifteen_names_from_one_address(admin: Any) -> None:
    answers = [log_in(f"name-{number}") for number in range(15)]
    assert answers == [200] * 9 + [429] * 6
    assert log_in("ada", PASSWORD) == 429
    assert log_in("ada", PASSWORD, ip="192.0.2.2") == 302


def test_all_of_an_ipv6_network_is_one_address(admin: Any) -> None:
    answers = [log_in(f"name-{number}", ip=f"2001:db8:1:2::{number}") for number in range(12)]
    assert answers[-1] == 429
    assert log_in("ada", PASSWORD, ip="2001:db8:1:3::1") == 302


def test_one_name_is_not_guessed_from_many_addresses(admin: Any) -> None:
    answers = [log_in("ada", ip=f"192.0.2.{number}") for number in range(25)]
    assert answers == [200] * 19 + [429] * 6
    assert log_in("ada", PASSWORD, ip="198.51.100.1") == 429


def test_a_crowd_that_guesses_names_from_everywhere_is_stopped(admin: Any) -> None:
    answers = [log_in(f"name-{number}", ip=f"192.0.2.{number}") for number in range(101)]
    assert answers == [200] * 99 + [429] * 2
    assert log_in("ada", PASSWORD, ip="198.51.100.1") == 429


def test_who_came_in_from_here_before_is_not_locked_out_by_strangers_elsewhere(admin: Any) -> None:
    assert log_in("ada", PASSWORD, ip="198.51.100.7") == 302
    for number in range(25):
        log_in("ada", ip=f"192.0.2.{number}")
    assert log_in("ada", PASSWORD, ip="198.51.100.8") == 429
    assert log_in("ada", PASSWORD, ip="198.51.100.7") == 302


def test_log_ins_failed_ones_and_a_lock_out_are_in_the_audit_log_once_each(admin: Any) -> None:
    log_in("ada", PASSWORD)
    for _ in range(9):
        log_in("ada")
    log_in("ada", PASSWORD)
    assert kinds() == ["staff.logged_in"] + ["staff.log_in_failed"] * 7 + ["staff.locked_out"]
    entry = AuditEntry.objects.get(kind="staff.locked_out")
    assert (entry.subject_label, entry.subject_id, entry.ip) == ("Ada", str(admin.uid), "192.0.2.1")
    assert AuditEntry.objects.get(kind="staff.logged_in").actor_id == str(admin.uid)


def test_what_was_typed_as_a_name_is_not_kept_when_nobody_has_it(admin: Any) -> None:
    log_in("my-secret-password")
    entry = AuditEntry.objects.get()
    assert (entry.kind, entry.subject_label) == ("staff.log_in_failed", "an unknown name")
    assert "my-secret" not in str(AuditEntry.objects.values().get())


def test_a_retired_name_is_as_unknown_as_any(admin: Any) -> None:
    make_staff("nina", role="viewer")
    admin.is_active = False
    admin.save()
    assert log_in("ada", PASSWORD) == 200
    assert kinds() == ["staff.log_in_failed"]
