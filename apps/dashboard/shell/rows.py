"""Builders of questions: one line for a field, a comparison and a value, and as many as wanted."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.forms import BaseFormSet
from django.utils.translation import gettext_lazy as _

from apps.dashboard.shell.forms import whole_number

ALL_OR_ANY = [
    ("all", _("All of these are true")),
    ("any", _("At least one of these is true")),
]


class LineForm(forms.Form):
    """One line of a builder.

    What kinds of fields and comparisons there are is for those who inherit.
    """

    field: forms.Field
    op: forms.Field
    value: forms.Field

    def line(self) -> dict[str, Any] | None:
        """The line as a question in JSON; None when it was left empty.

        Whether it makes sense is for the act to say that takes it.
        """
        typed = self.cleaned_data
        field = typed.get("field", "").strip()
        if not field:
            return None
        op = typed.get("op") or "is"
        return self.question(field, op, typed.get("value", "").strip())

    def question(self, field: str, op: str, text: str) -> dict[str, Any]:
        raise NotImplementedError


if TYPE_CHECKING:  # Django's classes take no parameters at run time
    _FormSet = BaseFormSet["LineForm"]
else:
    _FormSet = BaseFormSet


class Lines(_FormSet):
    """The lines of one list."""

    def filled(self) -> list[dict[str, Any]]:
        """Lines that were not left empty, as questions."""
        self.is_valid()
        lines = (form.line() for form in self.forms)
        return [line for line in lines if line is not None]


def with_one_more(data: Any, prefix: str) -> Any:
    """The posted lines, with an empty one at the end if the list's "Add" button was pressed.

    The button is named `add` and has the list's prefix as its value.
    """
    if data is None or data.get("add") != prefix:
        return data
    data = data.copy()
    name = f"{prefix}-TOTAL_FORMS"
    count = whole_number(data.get(name, "")) or 0
    data[name] = str(count + 1)
    return data


def lines_of(question: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """How the parts of a question go together ("all" or "any"), and the parts."""
    if "any" in question and "all" not in question:
        return "any", question["any"]
    return "all", question.get("all", [])


def is_flat(question: dict[str, Any]) -> bool:
    """Whether a builder can show it: one list, and one list of exceptions."""
    lists = [lines_of(question)[1]]
    if "not" in question:
        if set(question["not"]) != {"any"}:
            return False
        lists.append(question["not"]["any"])
    return all("field" in line for lines in lists for line in lines)
