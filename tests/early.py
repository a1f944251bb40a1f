"""Loaded by pytest before Django's settings: what the suite runs on."""

import os
import tempfile

os.environ["CARILLON_MODE"] = "test"
os.environ.setdefault("VAR_DIR", tempfile.mkdtemp(prefix="carillon-test-"))
os.environ.setdefault("LOG_LEVEL", "ERROR")
