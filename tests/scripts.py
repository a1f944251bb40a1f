"""`python -m tests.scripts`: let node read every script of static/carillon, without running any.

Ends with 0 when all can be parsed, 1 when one can't, and 5 when this machine has no node. That is
said in a line, and is a failure (1) where the variable CI is set.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent / "static" / "carillon"
LEFT_OUT = 5
NO_NODE = "node is missing, so static/carillon was not checked (Debian: apt-get install nodejs)."


def fault(node: str, path: Path) -> str:
    """Say what node can't parse in the file, or nothing.

    All are read as modules, the stricter of the two ways.
    """
    command = [node, "--check", "--input-type=module", "-"]
    done = subprocess.run(command, input=path.read_bytes(), capture_output=True, check=False)
    if done.returncode == 0:
        return ""
    return f"{path.name}: {done.stderr.decode()}"


def main() -> int:
    node = shutil.which("node")
    if node is None:
        print(NO_NODE)
        if os.environ.get("CI"):
            return 1
        return LEFT_OUT
    faults = [fault(node, path) for path in sorted(SCRIPTS.rglob("*.js"))]
    print("\n".join(filter(None, faults)))
    if any(faults):
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
