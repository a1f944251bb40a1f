"""The choice of a time zone is all of Django's, and costs the page little."""

from typing import Any

import lxml.html
import pytest
from django import forms as django_forms
from django.test import Client

from apps.followers.models import Follower
from apps.subscriptions.center import forms
from tests.subscriptions.pages import fresh_path


def options(select: str) -> list[tuple[str, str, str, bool]]:
    """Part of the world, value, words and whether it is chosen, of each option."""
    return [
        (each.getparent().get("label", ""), each.get("value"), each.text, "selected" in each.attrib)
        for each in lxml.html.fromstring(select).iter("option")
    ]


@pytest.mark.parametrize("zone", ["", "Europe/Berlin", "US/Eastern", "a <b> & c"])
def test_it_is_written_as_django_writes_it(db: None, zone: str) -> None:
    field: Any = forms.Fields(follower=Follower(language="en", time_zone=zone))["time_zone"]
    ours = str(field)
    theirs = django_forms.Select(choices=field.field.choices).render(
        "time_zone", zone, attrs={"class": "form-select", "id": "id_time_zone"}
    )
    assert options(ours) == options(theirs)
    assert [value for _, value, _, chosen in options(ours) if chosen] == [zone]
    names = [lxml.html.fromstring(select).attrib for select in (ours, theirs)]
    assert dict(names[0]) == dict(names[1])


def test_a_page_with_all_zones_renders_no_template_for_each(client: Client, anna: Follower) -> None:
    answer = client.get(fresh_path(anna))
    assert answer.content.count(b"<option") > 400
    assert len(answer.templates) < 400
