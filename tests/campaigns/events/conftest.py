"""A site with an inbox."""

import pytest
from django.utils import timezone

from apps.notifications.accounts import edit
from tests.make import TESTER


@pytest.fixture
def inbox(db: None) -> None:
    edit.create_account(
        enabled=True,
        name="Inbox",
        provider_key="in_app",
        settings={},
        by=TESTER,
        now=timezone.now(),
    )
