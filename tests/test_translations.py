"""The pages of staff and followers speak Russian as they speak English: every sentence is there,
in the compiled file that the product reads.
"""

import gettext
import re
from typing import Any

from babel.messages.pofile import read_po

from tests import translations

PLACES = re.compile(r"%\(\w+\)s|\{\w*\}|</?\w+")


def test_every_sentence_has_its_russian_words() -> None:
    assert sum(1 for path in translations.files() for _text in translations.texts(path)) > 140
    assert [text.line for text in translations.missing()] == []


def test_russian_words_have_the_same_values_and_elements_in_them() -> None:
    with (translations.FOLDER / "django.po").open("rb") as file:
        entries = [entry for entry in read_po(file, locale="ru") if entry.id]
    for entry in entries:
        english = entry.id if isinstance(entry.id, str) else entry.id[1]
        said = [entry.string] if isinstance(entry.string, str) else entry.string
        for each in said:
            assert set(PLACES.findall(each)) == set(PLACES.findall(english)), entry.id


def test_the_compiled_file_is_the_one_that_people_edit() -> None:
    with (translations.FOLDER / "django.po").open("rb") as file:
        edited: dict[Any, str] = {}
        for entry in read_po(file, locale="ru"):
            name = entry.id if isinstance(entry.id, str) else entry.id[0]
            if entry.context:
                name = f"{entry.context}\x04{name}"
            if isinstance(entry.string, str):
                edited[name] = entry.string
                continue
            for number, form in enumerate(entry.string):
                edited[name, number] = form
    russian: Any = gettext.translation("django", translations.ROOT / "locale", ["ru"])
    compiled = dict(russian._catalog)
    compiled.pop("")
    edited.pop("")
    assert compiled == edited
