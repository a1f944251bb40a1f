"""Python reads this at its start where it is on PYTHONPATH:
rendering the mail of two people ends the process.

Nothing in the product knows of it;
a broken library or a hostile picture would do the same from within.
"""

import importlib.abc
import importlib.machinery
import os
import signal
import sys
from types import ModuleType
from typing import Any

WHERE = "apps.content.render"


def _harm(context: Any) -> None:
    name = context["follower"]["name"]
    if name == "Killing Bell":
        os.kill(os.getpid(), signal.SIGKILL)
    if name == "Starving Bell":
        raise MemoryError


class _Poisoned(importlib.abc.Loader):
    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: Any) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        for name in ("render", "render_mail"):
            if original := getattr(module.Compiled, name, None):
                setattr(module.Compiled, name, _before(original))


def _before(original: Any) -> Any:
    def poisoned(self: Any, *words: Any, **more: Any) -> Any:
        _harm(
            next(
                each
                for each in (*words, *more.values())
                if isinstance(each, dict) and "follower" in each
            )
        )
        return original(self, *words, **more)

    return poisoned


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name != WHERE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec:
            spec.loader = _Poisoned(spec.loader)
        return spec


sys.meta_path.insert(0, _Finder())
