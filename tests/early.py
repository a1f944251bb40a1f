"""Loaded by pytest before Django's settings: what the suite runs on."""

import atexit
import os
import shutil
import tempfile

os.environ["CARILLON_MODE"] = "test"
if "VAR_DIR" not in os.environ:
    os.environ["VAR_DIR"] = tempfile.mkdtemp(prefix="carillon-test-")
    atexit.register(shutil.rmtree, os.environ["VAR_DIR"], ignore_errors=True)
os.environ.setdefault("LOG_LEVEL", "ERROR")
