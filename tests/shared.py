"""Rows that the tests of a module share: made once, and each test goes back to them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction


@contextmanager
def shared(blocker: Any) -> Iterator[None]:
    """Keep what is written at the begin of this context until its end, for a fixture of a module.

    `blocker` is pytest-django's `django_db_blocker`. A test's own transaction is a savepoint
    inside this one, so no test of the module may be transactional.
    """
    with blocker.unblock():
        rows = transaction.atomic()
        rows.__enter__()
    try:
        yield
    finally:
        with blocker.unblock():
            transaction.set_rollback(True)
            rows.__exit__(None, None, None)
