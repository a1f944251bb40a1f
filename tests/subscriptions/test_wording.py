"""Every sentence of the public pages is there in Russian,
in the compiled file that the product reads.
"""

import gettext
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.extract import extract_python
from django.conf import settings
from django.utils.translation.template import templatize

ROOT = Path(settings.BASE_DIR)
KEYWORDS = ("_", "gettext", "gettext_lazy", "pgettext_lazy", "ngettext")
THE_SAME = {"SMS"}


def sentences() -> Iterator[tuple[str, str]]:
    """(file, sentence) of templates and modules."""
    for path in sorted((ROOT / "templates/subscriptions").rglob("*.html")):
        # what is left of the markup would be read as Python's indentation
        lines = [line.strip() for line in templatize(path.read_text()).splitlines()]
        yield from _in(path, "\n".join(lines))
    for path in sorted((ROOT / "apps/subscriptions").glob("*.py")):
        yield from _in(path, path.read_text())


def _in(path: Path, source: str) -> Iterator[tuple[str, str]]:
    for _line, function, found, _comments in extract_python(
        BytesIO(source.encode()), KEYWORDS, [], {}
    ):
        yield path.name, found[-1] if function.startswith("p") else found


def test_every_sentence_has_its_russian_words() -> None:
    russian = gettext.translation("django", ROOT / "locale", ["ru"])
    catalog: Any = vars(russian)["_catalog"]
    known = {str(key).rpartition("\x04")[2] for key in catalog}
    found = list(sentences())
    assert len(found) > 70
    assert [each for each in found if each[1] not in known] == []
    assert [
        each for each in found if each[1] not in THE_SAME and russian.gettext(each[1]) == ""
    ] == []


def test_the_compiled_file_is_the_one_that_people_edit() -> None:
    from babel.messages.pofile import read_po

    with (ROOT / "locale/ru/LC_MESSAGES/django.po").open("rb") as file:
        edited = {
            f"{entry.context}\x04{entry.id}" if entry.context else entry.id: entry.string
            for entry in read_po(file)
            if entry.id
        }
    russian: Any = gettext.translation("django", ROOT / "locale", ["ru"])
    compiled = dict(russian._catalog)
    compiled.pop("")
    assert compiled == edited
    assert all(edited.values())
