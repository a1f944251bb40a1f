"""What is wrong with a template, said so that its author can put it right."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """`where` is a dotted path (`ru.email.html`, `layout.text`, `variables.order_id`);
    `line` counts from 1.
    """

    where: str
    line: int | None
    message: str

    def __str__(self) -> str:
        if self.line is None:
            place = self.where
        else:
            place = f"{self.where}, line {self.line}"
        return f"{place}: {self.message}"


class RenderError(Exception):
    """A part could not be rendered; `problem` says where and why."""

    def __init__(self, problem: Problem):
        super().__init__(str(problem))
        self.problem = problem


class NotPublishable(Exception):
    """The draft has problems, all of them in `problems`."""

    def __init__(self, problems: Sequence[Problem]):
        super().__init__(
            "This draft can't be published yet. " + " ".join(str(problem) for problem in problems)
        )
        self.problems = list(problems)
