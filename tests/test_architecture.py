"""The layers hold: in imports, in foreign keys, in names, and in what wiring promises."""

import ast
import re
import tomllib
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db.models import Model
from django.utils.module_loading import import_string
from grimp import build_graph
from importlinter import configuration
from importlinter.application import use_cases

from apps.channels.contract import Provider
from apps.channels.registry import UnknownProvider, provider
from apps.lib.facts import Kind

ROOT = Path(settings.BASE_DIR)
MODULES = sorted(path for path in (ROOT / "apps").rglob("*.py") if "migrations" not in path.parts)
# Names that say nothing about what happens inside, and so attract everything.
VAGUE = {
    "utils",
    "util",
    "helpers",
    "helper",
    "services",
    "service",
    "managers",
    "manager",
    "core",
    "base",
    "common",
    "misc",
}


def layers() -> dict[str, int]:
    """App label -> its layer, 0 at the top, read from the contract that import-linter checks."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
    rows = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    return {name.strip(): layer for layer, row in enumerate(rows) for name in row.split("|")}


def points_wrongly(source: type[Model], target: type[Model]) -> bool:
    """A key may stay inside its app or point down;
    up and sideways would tie layers that must not know each other.

    The one way sideways is settings.AUTH_USER_MODEL: strangers may meet in the settings,
    and there it is named.
    """
    layer = layers()
    ours = source._meta.app_label
    theirs = target._meta.app_label
    if ours == theirs or theirs not in layer:
        return False
    if target is get_user_model():
        return layer[theirs] < layer[ours]
    return layer[theirs] <= layer[ours]


def keys_that_point_wrongly() -> list[str]:
    return [
        f"{model._meta.label}.{field.name} -> {field.related_model._meta.label}"
        for model in apps.get_models(include_auto_created=True)
        if model._meta.app_label in layers()
        for field in model._meta.get_fields()
        if field.is_relation
        and not field.auto_created
        and isinstance(field.related_model, type)
        and points_wrongly(model, field.related_model)
    ]


def test_imports_follow_the_layers(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    configuration.configure()
    # its command line does the same, but sets up logging and so disables our loggers
    kept = use_cases.lint_imports(
        config_filename=str(ROOT / "pyproject.toml"), cache_dir=str(tmp_path), no_logo=True
    )
    assert kept, capsys.readouterr().out


def rooms(app: str) -> dict[str, set[str]]:
    """The modules and packages at the top of an app -> those of them that each imports."""
    graph = build_graph("apps", cache_dir=None)
    inside = {name for name in graph.modules if name.startswith(f"apps.{app}.")}
    arrows: dict[str, set[str]] = {}
    for module in inside:
        room = module.split(".")[2]
        arrows.setdefault(room, set())
        for target in graph.find_modules_directly_imported_by(module) & inside:
            if target.split(".")[2] != room:
                arrows[room].add(target.split(".")[2])
    return arrows


def floor(room: str, arrows: dict[str, set[str]]) -> int:
    """How many rooms lie on the longest way down from this one, itself included."""
    return 1 + max((floor(each, arrows) for each in arrows[room]), default=0)


def test_the_rooms_of_notifications_are_few_floors_and_few_arrows() -> None:
    arrows = rooms("notifications")
    assert sum(map(len, arrows.values())) <= 60
    assert max(floor(room, arrows) for room in arrows) <= 8


def test_every_app_has_a_layer() -> None:
    here = {path.name for path in (ROOT / "apps").iterdir() if (path / "__init__.py").exists()}
    assert here == set(layers())


def test_no_foreign_key_points_up_or_sideways() -> None:
    # import-linter can't see a key that is given as text ("campaigns.Campaign")
    assert keys_that_point_wrongly() == []


def test_a_key_that_points_up_or_sideways_would_be_seen() -> None:
    campaign = apps.get_model("campaigns", "Campaign")
    follower = apps.get_model("followers", "Follower")
    template = apps.get_model("content", "Template")
    assert points_wrongly(follower, campaign)
    assert points_wrongly(follower, template)
    assert not points_wrongly(campaign, follower)
    assert not points_wrongly(follower, follower)


def test_the_library_and_the_ways_out_have_no_tables() -> None:
    assert [
        model
        for model in apps.get_models()
        if model.__module__.startswith(("apps.lib", "apps.channels"))
    ] == []


@pytest.mark.parametrize("name", ["dashboard", "subscriptions"])
def test_pages_have_no_tables(name: str) -> None:
    assert list(apps.get_app_config(name).get_models()) == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    folders = {path for module in MODULES for path in module.relative_to(ROOT).parents}
    names = [*(module.relative_to(ROOT) for module in MODULES), *folders]
    assert [str(path) for path in names if path.stem in VAGUE] == []


def imports_of_modules() -> dict[str, set[str]]:
    """Module -> the modules of ours that it imports from; where a package hands a name on, the
    module that has it.
    """
    trees = {dotted(path): ast.parse(path.read_text()) for path in MODULES}
    imports = {
        name: [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        for name, tree in trees.items()
    }
    handed_on = {
        (name, each.name): node.module
        for name, nodes in imports.items()
        for node in nodes
        for each in node.names
    }
    found: dict[str, set[str]] = {name: set() for name in trees}
    for name, nodes in imports.items():
        for node in nodes:
            for each in node.names:
                module = f"{node.module}.{each.name}"
                if module not in trees:
                    module = handed_on.get((node.module, each.name), node.module)
                if module in trees:
                    found[name].add(module)
    return found


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def test_no_two_classes_of_one_name_meet_within_two_imports() -> None:
    imports = imports_of_modules()
    classes: dict[str, set[str]] = {}
    for path in MODULES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                classes.setdefault(node.name, set()).add(dotted(path))
    met = set()
    for module, first in imports.items():
        near = {module, *first}.union(*(imports[name] for name in first))
        for name, homes in classes.items():
            if len(homes & near) > 1:
                met.add((name, *sorted(homes & near)))
    assert sorted(met) == []


def test_every_module_opens_with_a_sentence() -> None:
    silent = []
    for module in MODULES:
        source = module.read_text()
        if not source.strip() or module.name in {"apps.py", "__init__.py"}:
            continue
        opening = (ast.get_docstring(ast.parse(source)) or "").strip()
        # a capital letter (or a quoted name) first, and an end
        if not re.match(r"[A-ZА-Я0-9`\"(]", opening) or not re.search(r"[.!?:…)`\"]", opening):
            silent.append(str(module.relative_to(ROOT)))
    assert silent == []


@pytest.mark.django_db
def test_the_migrations_say_all_that_the_models_say() -> None:
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


@pytest.mark.parametrize("key", sorted(settings.PROVIDERS))
def test_a_wired_provider_is_there_under_its_own_key(key: str) -> None:
    found = provider(key)
    assert issubclass(found, Provider)
    assert found.key == key
    names = [setting.name for setting in found.settings]
    assert len(names) == len(set(names))


def test_a_provider_that_is_not_wired_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownProvider, match="smtp"):
        provider("pigeon")


def test_who_waits_for_a_fact_waits_for_one_that_there_is() -> None:
    assert set(settings.EVENT_SUBSCRIBERS) - {"*"} <= set(Kind)


@pytest.mark.parametrize(
    "path", sorted({path for wired in settings.EVENT_SUBSCRIBERS.values() for path in wired})
)
def test_a_wired_subscriber_can_be_called(path: str) -> None:
    assert callable(import_string(path))


@pytest.mark.parametrize("name", sorted(settings.SCHEDULES))
def test_a_wired_schedule_can_be_called(name: str) -> None:
    path, seconds = settings.SCHEDULES[name]
    assert callable(import_string(path))
    assert seconds > 0


KEPT_TO_ONE_MODULE = {
    "apps/lib/sql/undocumented.py": (
        r"sql_with_params|get_compiler|klass_info|get_related_populators|wrap_database_errors"
        r"|_fetch_mode|health_check_done|inc_thread_sharing"
    ),
    "apps/content/liquid/undocumented.py": r"logical\._|_escape_inner|\b_to_iter",
}


@pytest.mark.parametrize("home", KEPT_TO_ONE_MODULE)
def test_what_a_library_does_not_promise_is_used_in_one_module(home: str) -> None:
    private = re.compile(KEPT_TO_ONE_MODULE[home])
    users = [str(path.relative_to(ROOT)) for path in MODULES if private.search(path.read_text())]
    assert users == [home]
