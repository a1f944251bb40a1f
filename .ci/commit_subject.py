"""`commit_subject.py FILE`: refuse a commit message whose subject is too long; git's commit-msg hook calls it.

What git words itself (a merge, a revert, a fix-up to be squashed) passes.
"""

import sys
from pathlib import Path

LONGEST = 60  # characters
OF_GIT = ("Merge ", "Revert ", "fixup! ", "squash! ", "amend! ")


def fault(message: str) -> str:
    """Say what is wrong with a commit message, or nothing."""
    lines = [line for line in message.splitlines() if not line.startswith("#")]
    subject = lines[0].strip() if lines else ""
    if subject.startswith(OF_GIT):
        return ""
    if len(subject) > LONGEST:
        return f"The subject has {len(subject)} characters, {LONGEST} are allowed; the story belongs in the body."
    if len(lines) > 1 and lines[1].strip():
        return "The second line must be empty: git takes what stands before an empty line for the subject."
    return ""


if __name__ == "__main__":
    said = fault(Path(sys.argv[1]).read_text(encoding="utf-8"))
    sys.exit(said or 0)
