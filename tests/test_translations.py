"""The pages of staff and followers speak Russian as they speak English: every sentence is there,
in the compiled file that the product reads.
"""

import gettext
import re
from typing import Any

from babel.messages.pofile import read_po

from tests import translations

# the names of values
PLACES = re.compile(r"%\((\w+)\)s|\{(\w*)(?:![rs])?(?::[^}\"]*)?\}")
ELEMENTS = re.compile(r"</?\w+")


def test_nothing_that_people_read_is_left_in_english_only() -> None:
    assert translations.bare() == []


def test_every_sentence_has_its_russian_words() -> None:
    marked = [text for path in translations.files() for text in translations.texts(path)]
    assert len(marked) > 2000
    assert [text.line for text in translations.missing()] == []


def test_russian_words_name_no_value_that_english_has_not_and_have_the_same_elements() -> None:
    with (translations.FOLDER / "django.po").open("rb") as file:
        entries = [entry for entry in read_po(file, locale="ru") if entry.id]
    for entry in entries:
        english = entry.id
        said = entry.string
        if entry.pluralizable:
            english = "\n".join(entry.id)
        for words in [said] if isinstance(said, str) else said:
            assert set(PLACES.findall(words)) <= set(PLACES.findall(english)), english
            assert set(ELEMENTS.findall(words)) <= set(ELEMENTS.findall(english)), english


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
