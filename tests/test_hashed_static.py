"""Scripts in production: what one imports is asked for by its hashed name, and is there."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.storage import FileSystemStorage

from notifications_project.hashed_static import HashedModules

SOURCE = settings.BASE_DIR / "static"
HASHED = re.compile(r"\.[0-9a-f]{12}\.js$")


@pytest.fixture
def collected(tmp_path: Path) -> Path:
    """Our own scripts, as `collectstatic` leaves them."""
    source = FileSystemStorage(SOURCE)
    target = HashedModules(location=tmp_path, base_url="/static/")
    names = [str(path.relative_to(SOURCE)) for path in (SOURCE / "carillon").rglob("*.js")]
    for name in names:
        target.save(name, source.open(name))
    done = target.post_process({name: (source, name) for name in names})
    failures = [outcome for _, _, outcome in done if isinstance(outcome, Exception)]
    assert failures == []
    return tmp_path


def test_what_a_script_imports_is_asked_for_by_its_hashed_name(collected: Path) -> None:
    scripts = [path for path in (collected / "carillon").rglob("*.js") if HASHED.search(path.name)]
    imported = {
        (path.parent / target).resolve()
        for path in scripts
        for target in re.findall(r'^import [^"]*"(.+)";$', path.read_text(), re.MULTILINE)
    }
    assert len(imported) == len(list(SOURCE.glob("carillon/*/*.js")))
    assert imported <= set(scripts)


def test_a_script_that_is_not_there_stops_collectstatic(tmp_path: Path) -> None:
    target = HashedModules(location=tmp_path, base_url="/static/")
    script = tmp_path / "carillon" / "lost.js"
    script.parent.mkdir()
    script.write_text('import "./nowhere.js";\n')
    found = {"carillon/lost.js": (FileSystemStorage(tmp_path), "carillon/lost.js")}
    faults = [done for _, _, done in target.post_process(found) if isinstance(done, Exception)]
    assert "nowhere.js" in str(faults)
