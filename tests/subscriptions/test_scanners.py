"""Scanners open every link of real mails, in every way: nobody's state changes.

`python -m tests.scanners` is the same with fifty of them at once, and fifty mails.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from tests import scanners

pytestmark = [pytest.mark.django_db, pytest.mark.reported]


def test_scanners_that_open_every_link_of_every_mail_change_nothing(client: Client) -> None:
    mails = scanners.send_mails(5)
    assert len(mails) == 5
    links = [link for mail in mails for link in scanners.links_in(mail, settings.SITE_URL)]
    kinds = {link.split("/")[2] for link in links if link.startswith("/p/")}
    assert {"confirm", "preferences", "unsubscribe"} <= kinds
    before = scanners.state()

    def opened(method: str, link: str, headers: Mapping[str, str]) -> int:
        answer: Any = client.generic(method, link, headers=dict(headers))
        assert not answer.cookies
        return int(answer.status_code)

    seen: Counter[int] = Counter()
    for agent in range(len(scanners.WAYS)):  # then each link was opened in each way
        seen += scanners.scan(links, agent, opened)
    assert set(seen) <= {200, 302, 405}
    assert scanners.state() == before
    assert scanners.taken_for_people() == 0
