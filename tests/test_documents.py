"""What the documents point at is there: links between pages, and a page for each decision."""

import re
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
PARTS = ["Context", "Decision", "Consequence", "Rejected", "Where"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_link_of_a_page_leads_to_a_file(page: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    inside = [target.partition("#")[0] for target in targets if "://" not in target]
    assert [target for target in inside if not (page.parent / target).exists()] == []


def test_decisions_are_numbered_in_a_row_and_have_all_parts() -> None:
    numbers = [int(page.name[:4]) for page in DECISIONS]
    assert numbers == list(range(1, len(DECISIONS) + 1))
    for page, number in zip(DECISIONS, numbers, strict=True):
        text = page.read_text()
        assert text.startswith(f"# {number}. "), page.name
        assert re.search(r"^Status: (Accepted|Rejected|Replaced by )", text, re.MULTILINE), (
            page.name
        )
        assert re.findall(r"^## (.+)", text, re.MULTILINE) == PARTS, page.name


@pytest.mark.parametrize("index", ["docs/decisions/README.md", "docs/architecture.md"])
def test_each_decision_is_found_from_the_index(index: str) -> None:
    text = (ROOT / index).read_text()
    assert [page.name for page in DECISIONS if page.name not in text] == []
