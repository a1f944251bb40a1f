"""`commit_subject.py FILE`: refuse a commit message whose subject is too long.

git's commit-msg hook calls it (.pre-commit-config.yaml).

What git words itself (a merge, a revert, a fix-up to be squashed) passes.
"""

import sys
from pathlib import Path

LONGEST = 60  # characters
TOO_LONG = "The subject has {} characters, {} are allowed; the story belongs in the body."
NO_GAP = "The second line must be empty: git takes all before an empty line for the subject."
OF_GIT = ("Merge ", "Revert ", "fixup! ", "squash! ", "amend! ")


def fault(message: str) -> str:
    """Say what is wrong with a commit message, or nothing."""
    lines = [line for line in message.splitlines() if not line.startswith("#")]
    subject = lines[0].strip() if lines else ""
    if subject.startswith(OF_GIT):
        return ""
    if len(subject) > LONGEST:
        return TOO_LONG.format(len(subject), LONGEST)
    if len(lines) > 1 and lines[1].strip():
        return NO_GAP
    return ""


if __name__ == "__main__":
    said = fault(Path(sys.argv[1]).read_text(encoding="utf-8"))
    sys.exit(said or 0)
