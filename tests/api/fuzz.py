"""`make fuzz`: schemathesis makes calls of the API's document, on a site of their own.

A fresh demo world, its web server, and a key that may do everything. All checks look at each
answer; a table names what they found. The exit code is 1 when they found something.

One check is judged here. A call that the document allows may be refused for what no document can
know: things that are not there, names that are taken, the state of something. Any other refusal is
a gap between the document and the server.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apps.lib.refusals import Cause
from tests import postgres
from tests.patience import PATIENCE, until
from tests.receiver import unused_port

ROOT = Path(__file__).parent.parent.parent
# No such thing, what the state of things forbids, an ETag and a key that are nobody's.
UNKNOWABLE_STATUSES = {404, 409, 412, 422}
# Codes of a 400 whose value has the right form: it names what is not there, its time is not now, it
# does not go with what a type, a template or a schema says, it is too much as a whole.
UNKNOWABLE_CODES = {*Cause, "does_not_exist", "unknown_zone", "bad_value"}
# A number as text and a text as number have one meaning, and are read (docs/api.md).
LENIENT = re.compile(r"Incorrect type|violates `type` at")
# Shares of the time; what one leaves goes to the next.
PHASES = {("examples", "coverage"): 0.5, ("fuzzing",): 0.6, ("stateful",): 1.0}
JUDGED = "positive_data_acceptance"
_NAMED = re.compile(r"'.*?'|“.*?”|[0-9]+", re.DOTALL)  # what differs from call to call


@dataclass
class Findings:
    """What the checks found: how often for each operation, check and word, and the first call."""

    cases: Counter[str] = field(default_factory=Counter)
    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    samples: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def add(self, operation: str, check: str, said: str, sample: str) -> None:
        key = (operation, check, said)
        self.counts[key] += 1
        self.samples.setdefault(key, sample)

    def table(self) -> str:
        lines = []
        for key, count in sorted(self.counts.items()):
            operation, check, said = key
            lines.append(f"{operation}  {check}  ({count} times): {said}")
            lines.append(f"    {self.samples[key]}")
        return "\n".join(lines)


def what_is_wrong(status: int, problem: Mapping[str, Any]) -> list[str]:
    """What a valid call was refused for that the document should have said; empty: it could not."""
    if status in UNKNOWABLE_STATUSES:
        return []
    faults = problem.get("errors") or [{"field": "", "code": "", "detail": problem.get("detail")}]
    return [
        f"{status} {fault['field']} {fault['code']}: {_NAMED.sub('…', fault['detail'])}"
        for fault in faults
        if fault["code"] not in UNKNOWABLE_CODES
    ]


def trimmed(value: Any) -> Any:
    """The value as it is read: without the blanks around each of its texts."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, Mapping):
        return {name: trimmed(each) for name, each in value.items()}
    if isinstance(value, list):
        return [trimmed(each) for each in value]
    return value


# ---- a site of its own
@contextmanager
def site(folder: Path, database: str, *, demo: bool = True) -> Iterator[tuple[str, str]]:
    """Serve a fresh demo world, or an empty site; gives its address and a key with every scope."""
    with ExitStack() as held:
        url = f"sqlite:///{folder}/site.sqlite3"
        if database == "postgres":
            home = folder / "pg"
            home.mkdir(mode=0o755)
            url = held.enter_context(postgres.server(home))
        port = unused_port()
        address = f"http://127.0.0.1:{port}"
        os.environ |= {
            "CARILLON_MODE": "development",
            "VAR_DIR": str(folder / "var"),
            "DATABASE_URL": url,
            "SITE_URL": address,
            "SECRET_KEY": "fuzz-" * 12,
            "API_CALLS_PER_MINUTE": "1000000",
            "DJANGO_SETTINGS_MODULE": "notifications_project.settings",
        }
        made = [("migrate", "--verbosity", "0"), ("setup_site",)]
        if demo:
            made.append(("demo",))
        for words in made:
            manage = [sys.executable, "manage.py", *words]
            subprocess.run(manage, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        held.enter_context(_web(folder, port))
        yield address, _key()


@contextmanager
def _web(folder: Path, port: int) -> Iterator[None]:
    """The web server as docs/operate.md starts it."""
    import django

    django.setup()
    from apps.lib.network import ports

    with (folder / "web.log").open("ab") as log:
        words = ["--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
        words += ["--workers", "1", "--blocking-threads", "64", "--log-level", "warning"]
        words.append("notifications_project.wsgi:application")
        program = [sys.executable, "-m", "granian", *words]
        web = subprocess.Popen(program, cwd=ROOT, stdout=log, stderr=log)
        try:
            until(lambda: ports.answers(port), "the web server answers")
            yield
        finally:
            web.terminate()
            web.wait()


def _key() -> str:
    from django.utils import timezone

    from apps.accounts.keys import issue
    from apps.accounts.permissions import Scope
    from tests.make import TESTER

    _, text = issue(name="Fuzz", scopes=list(Scope), by=TESTER, now=timezone.now())
    return text


# ---- the calls
def fuzz(address: str, key: str, *, seconds: float, seed: int) -> Findings:
    """Make calls for so many seconds."""
    findings = Findings()
    over = time.monotonic() + seconds
    for phases, share in PHASES.items():
        left = over - time.monotonic()
        until_then = time.monotonic() + left * share
        while time.monotonic() < until_then:
            _run(address, key, phases=phases, seed=seed, over=until_then, findings=findings)
            seed += 1
            if "coverage" in phases:  # has no dice
                break
    return findings


def _run(
    address: str, key: str, *, phases: Sequence[str], seed: int, over: float, findings: Findings
) -> None:
    from schemathesis import openapi
    from schemathesis.config import SchemathesisConfig
    from schemathesis.engine import events, from_schema

    headers = {"Authorization": f"Bearer {key}"}
    every = ("examples", "coverage", "fuzzing", "stateful")
    config = SchemathesisConfig.from_dict(
        {
            "seed": seed,
            "headers": headers,
            "request-timeout": 60,
            "continue-on-failure": True,
            # what a busy machine is, and what rules within rules are; where nothing at all can be
            # made of a description, that is found
            "suppress-health-check": ["too_slow", "filter_too_much"],
            "output": {"sanitization": {"enabled": False}},
            "generation": {
                "max-examples": 10,
                "database": "none",
                "no-shrink": True,
                "allow-x00": False,  # the document's first words say that no text may have one
            },
            "phases": {each: {"enabled": each in phases} for each in every},
            "checks": {
                JUDGED: {"expected-statuses": ["2xx", "304"]},
                # an If-Match that is nobody's is met before the body is read
                "negative_data_rejection": {"expected-statuses": ["4xx"]},
            },
        }
    )
    document = f"{address}/api/schema/"
    schema = openapi.from_url(document, config=config, headers=headers, timeout=PATIENCE)
    stream = from_schema(schema).execute()
    for event in stream:
        if isinstance(event, events.ScenarioFinished):
            _note(event.recorder, findings, phase=event.phase.value)
        if isinstance(event, events.NonFatalError):
            findings.add(event.label, "error", str(event.value), "")
        if isinstance(event, events.FatalError):
            raise event.exception
        if time.monotonic() > over:
            stream.stop()


def _note(recorder: Any, findings: Findings, *, phase: str) -> None:
    """Count what one scenario tried, and take over what its checks found."""
    findings.cases[phase] += len(recorder.interactions)
    for case, checks in recorder.checks.items():
        for check in checks:
            if check.failure_info is None:
                continue
            failure = check.failure_info.failure
            operation = recorder.cases[case].value.operation.label
            said = [f"{failure.title}: {failure.message}"]
            answer = recorder.interactions[case].response
            if check.name == JUDGED and answer is not None:
                said = what_is_wrong(answer.status_code, _problem(answer.content))
            if check.name == "negative_data_rejection" and _is_lenient(recorder, case, failure):
                continue
            for each in said:
                findings.add(operation, check.name, each, check.failure_info.code_sample)


def _is_lenient(recorder: Any, case: str, failure: Any) -> bool:
    """Whether what was accepted has one meaning in spite of the document: see LENIENT, and texts
    are measured without the blanks around them.
    """
    if LENIENT.search(failure.message):
        return True
    call = recorder.cases[case].value
    wrong = [place for place in call.meta.components if call.meta.is_negative_at(place)]
    dialect = call.operation.schema.adapter.jsonschema_validator_cls
    return bool(wrong) and all(
        call._validate_component(place, trimmed(call.get_container(place)), dialect)
        for place in wrong
    )


def _problem(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return {"detail": content[:200].decode(errors="replace")}


def arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make fuzz ARGS=…", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="how long it makes calls")
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(words)


def main(words: Sequence[str]) -> int:
    asked = arguments(words)
    with tempfile.TemporaryDirectory(prefix="cf-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with site(folder, asked.database) as (address, key):
            findings = fuzz(address, key, seconds=asked.seconds, seed=asked.seed)
    tried = ", ".join(f"{count:,} {phase}" for phase, count in findings.cases.items())
    print(findings.table())
    print(f"{findings.cases.total():,} calls ({tried}), {len(findings.counts)} findings.")
    return int(bool(findings.counts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
