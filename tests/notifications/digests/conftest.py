"""A type whose messages are gathered."""

import pytest

from apps.followers.models import NotificationType
from tests.make import make_template, make_type
from tests.notifications.digests.gathering import NUMBER, WORDS


@pytest.fixture
def orders(db: None) -> NotificationType:
    make_template("order", translations=WORDS, variables=[NUMBER])
    return make_type("orders", category="informational", digest=True)
