"""What an entry of the audit log means, line by line."""

from typing import Any

import pytest

from apps.accounts.history import Difference, differences
from apps.dashboard.shell.code_words import explained


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        ({}, []),
        (
            {"before": {"name": "A", "same": 1}, "after": {"name": "B", "same": 1}},
            [Difference("Name", "A", "B")],
        ),
        (
            {"before": {"tags": []}, "after": {"tags": ["x", "y"]}},
            [Difference("Tags", "nothing", "x, y")],
        ),
        ({"before": {}, "after": {"tags": ["x", "y"]}}, [Difference("Tags", None, "x, y")]),
        ({"channels": ["email", "in_app"]}, [Difference("Channels", None, "email, in_app")]),
        ({"rules": {"all": 1}}, [Difference("Rules", None, '{\n "all": 1\n}')]),
        ({"rules": {}}, [Difference("Rules", None, "nothing")]),
        ({"send_count": 12}, [Difference("Send count", None, "12")]),
        (
            {"settings": ["host", "port", "user"]},
            [Difference("Settings", None, "host, port, user")],
        ),
        (
            {"reason": "retried"},
            [Difference("Reason", None, "sent back into the queue by a person")],
        ),
        ({"why": "an old one"}, [Difference("Why", None, "an old one")]),
        ({"before": "old", "after": "new"}, [Difference("Value", "old", "new")]),
        (
            {"role": {"before": "viewer", "after": "editor"}},
            [Difference("Role", "viewer", "editor")],
        ),
    ],
)
def test_differences_are_told_line_by_line(data: dict[str, Any], lines: list[Difference]) -> None:
    assert differences(data, explain=explained) == lines
