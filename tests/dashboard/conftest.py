"""A receiver with an account that leads to it, as the sending tests have it."""

from collections.abc import Iterator

import pytest

from tests.notifications.world import make_accounts
from tests.receiver import Receiver


@pytest.fixture
def receiver(db: None) -> Iterator[Receiver]:
    with Receiver() as receiver:
        make_accounts(receiver)
        yield receiver
