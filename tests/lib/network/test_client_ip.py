"""Only addresses that our own proxies wrote are believed."""

from typing import Any

import pytest
from django.test import RequestFactory

from apps.lib.network.client_ip import client_ip


@pytest.mark.parametrize(
    ("proxies", "header", "expected"),
    [
        (0, "203.0.113.9", "192.0.2.1"),  # nobody in front: the visitor wrote it
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "10.0.0.1, 203.0.113.9", "203.0.113.9"),  # the first one is the visitor's invention
        (2, "10.0.0.1, 203.0.113.9, 198.51.100.2", "203.0.113.9"),
        (2, "203.0.113.9", "192.0.2.1"),  # too short: it did not come through both proxies
        (1, "2001:db8::1", "2001:db8::1"),
        (1, "fe80::1%eth0", "fe80::1"),  # the card is this machine's, and no database keeps it
        (1, "<script>", "192.0.2.1"),
        (1, "", "192.0.2.1"),
    ],
)
def test_the_visitor_is_as_many_steps_back_as_there_are_proxies(
    settings: Any, proxies: int, header: str, expected: str
) -> None:
    settings.PROXY_COUNT = proxies
    request = RequestFactory().get(
        "/", headers={"x-forwarded-for": header}, REMOTE_ADDR="192.0.2.1"
    )
    assert client_ip(request) == expected


def test_a_request_over_a_socket_file_has_no_address(settings: Any) -> None:
    assert client_ip(RequestFactory().get("/", REMOTE_ADDR="unix:")) == ""
