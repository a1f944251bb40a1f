"""An account, and a notification that may leave through it."""

import pytest

from apps.notifications.models import Notification, ProviderAccount
from tests.make import make_follower, make_type
from tests.notifications.world import make_version, tell
from tests.receiver import Receiver


@pytest.fixture
def account(receiver: Receiver) -> ProviderAccount:
    return ProviderAccount.objects.get(provider="smtp")


@pytest.fixture
def notification(account: ProviderAccount) -> Notification:
    return tell(make_type(), [make_follower(email="anna@example.com")], version=make_version())
