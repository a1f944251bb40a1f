"""Every check can fail, and the shipped settings pass them all."""

import copy
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site

from apps.ops import checks
from apps.ops.checks import (
    letters_have_upper_and_lower_case,
    nobody_can_make_us_call_ourselves,
    queue_is_safe,
    the_sites_zone_is_a_place,
    wiring_leads_somewhere,
)


def ids(errors: list[Any]) -> set[str]:
    assert all(error.hint for error in errors)
    return {error.id for error in errors}


def test_the_shipped_settings_pass() -> None:
    assert queue_is_safe(None) == []
    assert wiring_leads_somewhere(None) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"orm": "other"}, "carillon.E001"),
        ({"orm": None, "redis": {}}, "carillon.E001"),
        ({"sqs": {"aws_region": "x"}}, "carillon.E001"),
        ({"catch_up": True}, "carillon.E002"),
    ],
)
def test_an_unsafe_value_for_all_lanes_is_refused(
    settings: Any, change: dict[str, Any], expected: str
) -> None:
    settings.Q_CLUSTER = settings.Q_CLUSTER | change
    assert ids(queue_is_safe(None)) == {expected}


def test_a_lane_without_a_cluster_is_refused(settings: Any) -> None:
    clusters = {
        name: each
        for name, each in settings.Q_CLUSTER["ALT_CLUSTERS"].items()
        if name != "critical"
    }
    settings.Q_CLUSTER = settings.Q_CLUSTER | {"ALT_CLUSTERS": clusters}
    errors = queue_is_safe(None)
    assert ids(errors) == {"carillon.E003"}
    assert "critical" in errors[0].msg


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"bulk": 2}, {"carillon.E004"}),
        ({"workers": 2, "queue_limit": 3, "retry": 3000}, {"carillon.E005"}),
        (
            {"workers": 2, "queue_limit": None, "retry": 3000},
            {"carillon.E005"},
        ),  # django-q2 would take workers²
        ({"max_attempts": 0}, {"carillon.E006"}),
        ({"timeout": None}, {"carillon.E007"}),
        ({"timeout": 1.5}, {"carillon.E007"}),
        ({"timeout": 120, "retry": 240}, {"carillon.E008"}),
    ],
)
def test_an_unsafe_value_of_one_lane_is_refused(
    settings: Any, change: dict[str, Any], expected: set[str]
) -> None:
    cluster = copy.deepcopy(settings.Q_CLUSTER)
    cluster["ALT_CLUSTERS"]["bulk"] |= change
    settings.Q_CLUSTER = cluster
    assert ids(queue_is_safe(None)) == expected


def test_a_value_that_the_lane_inherits_is_judged_too(settings: Any) -> None:
    cluster = copy.deepcopy(settings.Q_CLUSTER)
    for lane in cluster["ALT_CLUSTERS"].values():
        lane.pop("max_attempts", None)
    cluster["max_attempts"] = 0
    settings.Q_CLUSTER = cluster
    assert ids(queue_is_safe(None)) == {"carillon.E006"}


def test_a_connection_pool_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(site.DATABASES["default"], "OPTIONS", {"pool": True})
    assert ids(queue_is_safe(None)) == {"carillon.E009"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PROVIDERS", {"smtp": "apps.channels.nowhere.Smtp"}),
        ("EVENT_SUBSCRIBERS", {"*": ["apps.accounts.audit.nobody"]}),
        ("SCHEDULES", {"lost": ("apps.nowhere.due", 1)}),
    ],
)
def test_wiring_that_leads_nowhere_is_refused(settings: Any, name: str, value: Any) -> None:
    setattr(settings, name, value)
    errors = wiring_leads_somewhere(None)
    assert ids(errors) == {"carillon.E010"}
    assert name in errors[0].msg


def test_wiring_that_names_no_function_is_refused(settings: Any) -> None:
    settings.SCHEDULES = {"a word": ("apps.ops.heartbeat.TICK", 1)}
    assert ids(wiring_leads_somewhere(None)) == {"carillon.E011"}


def test_a_provider_under_another_name_is_refused(settings: Any) -> None:
    settings.PROVIDERS = {"mail": "apps.channels.mail.smtp.Smtp"}
    assert ids(wiring_leads_somewhere(None)) == {"carillon.E012"}


# ----------------------------------------------------- the settings as an operator meets them
PRODUCTION = {
    "CARILLON_MODE": "production",
    "SECRET_KEY": "k9#mZ" * 14,
    "FIELD_KEYS": "a-long-random-text-that-encrypts",
    "SITE_URL": "https://news.example.org",
    "ALLOWED_HOSTS": "news.example.org",
}


def manage(tmp_path: Path, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """With nothing in the environment but what is given.

    A developer's .env must not fill in what is missing.
    """
    kept = {
        name: os.environ[name]
        for name in ("PATH", "HOME", "LANG", "DATABASE_URL")
        if name in os.environ
    }
    code = (
        "import sys; from notifications_project import env; env.load_file = lambda path: None;"
        " import manage; sys.argv[0] = 'manage.py'; manage.main()"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=site.BASE_DIR,
        env={**kept, "VAR_DIR": str(tmp_path), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.each
def test_the_shipped_production_settings_have_no_warning(tmp_path: Path) -> None:
    done = manage(tmp_path, "check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)
    assert "no issues (0 silenced)" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize("secret", ["SECRET_KEY", "FIELD_KEYS"])
def test_production_refuses_to_start_without_its_secrets_and_says_which(
    tmp_path: Path, secret: str
) -> None:
    done = manage(
        tmp_path, "check", **{name: value for name, value in PRODUCTION.items() if name != secret}
    )
    assert done.returncode != 0
    assert f"{secret} is not set" in done.stderr


def test_debug_is_refused_in_production(tmp_path: Path) -> None:
    done = manage(tmp_path, "check", **PRODUCTION, DEBUG="1")
    assert done.returncode != 0
    assert "DEBUG=1 shows source code" in done.stderr


def test_the_mailbox_and_run_refuse_production(tmp_path: Path) -> None:
    for words in (["mailbox"], ["run"]):
        done = manage(tmp_path, *words, **PRODUCTION)
        assert done.returncode == 1
        assert "production" in done.stderr


def test_addresses_of_strangers_may_lead_to_this_machine_only_where_nothing_is_real(
    settings: Any,
) -> None:
    settings.ALLOW_LOOPBACK = True
    settings.PRODUCTION = False
    assert nobody_can_make_us_call_ourselves(None) == []
    settings.PRODUCTION = True
    assert ids(nobody_can_make_us_call_ourselves(None)) == {"carillon.E013"}
    settings.ALLOW_LOOPBACK = False
    assert nobody_can_make_us_call_ourselves(None) == []


@pytest.mark.reported
@pytest.mark.parametrize("name", ["localtime", "Factory", "posixrules", "Mars/Olympus"])
def test_the_sites_zone_must_mean_the_same_on_each_machine(name: str, settings: Any) -> None:
    assert the_sites_zone_is_a_place(None) == []
    settings.TIME_ZONE = name
    assert ids(the_sites_zone_is_a_place(None)) == {"carillon.E014"}


@pytest.mark.reported
@pytest.mark.django_db
def test_a_database_that_folds_ascii_letters_only_is_told_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert letters_have_upper_and_lower_case(None, databases=["default"]) == []
    monkeypatch.setattr(checks, "_knows_letters", lambda name: False)
    told = letters_have_upper_and_lower_case(None, databases=["default"])
    assert [each.id for each in told] == ["carillon.W001"]
