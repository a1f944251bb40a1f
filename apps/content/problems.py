"""What is wrong with a template, said so that its author can put it right."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from apps.lib.refusals import UNFIT, RefusalKind, Refused


@dataclass(frozen=True, slots=True)
class TemplateProblem:
    """What is wrong in one place.

    `where` is a dotted path (`ru.email.html`, `layout.text`, `variables.order_id`), `line` counts
    from 1. One that only warns stops nothing.
    """

    where: str
    line: int | None
    message: str
    warns: bool = False

    @property
    def place(self) -> str:
        """Return `where`, and the line after a colon where it is known."""
        if self.line is None:
            return self.where
        return f"{self.where}:{self.line}"

    def __str__(self) -> str:
        place = self.where
        if self.line is not None:
            place = _("{where}, line {line}").format(where=self.where, line=self.line)
        return f"{place}: {self.message}"


class RenderError(Refused):
    """A part could not be rendered; `problem` says where and why."""

    cause = UNFIT  # the words and the data, or the channel, don't go together

    def __init__(self, problem: TemplateProblem) -> None:
        super().__init__(str(problem), field=problem.where)
        self.problem = problem

    @property
    def faults(self) -> list[tuple[str, str]]:
        return [(self.problem.where, self.problem.message)]


class NotPublishable(Refused):
    """The draft has problems, all of them in `problems`."""

    kind = RefusalKind.STATE

    def __init__(self, problems: Sequence[TemplateProblem]):
        said = " ".join(map(str, problems))
        super().__init__(_("This draft can't be published yet. {said}").format(said=said))
        self.problems = list(problems)

    @property
    def faults(self) -> list[tuple[str, str]]:
        return [(problem.place, problem.message) for problem in self.problems]
