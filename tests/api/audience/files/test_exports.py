"""Taking rows out by the API: begun, watched, fetched page by page."""

import pytest

from apps.followers.exports import write
from apps.followers.models import Export
from tests.api.world import make_client
from tests.make import make_follower

PATH = "/api/v1/exports"
pytestmark = pytest.mark.django_db


def test_followers_come_page_by_page_when_they_are_ready(api, anna, monkeypatch) -> None:
    monkeypatch.setattr(write, "SLICE", 1)
    make_follower(email="ida@example.com")
    begun = api.post(PATH, {"kind": "followers", "columns": ["email", "language"]})
    assert begun.status_code == 202
    path = f"{PATH}/{begun.json()['id']}"
    assert api.get(path).json()["state"] == "running"
    assert api.get(f"{path}/pages/1").status_code == 404
    write.run(Export.objects.get().pk)
    ready = api.get(path).json()
    assert (ready["state"], ready["rows_done"], ready["pages"]) == ("ready", 2, 2)
    rows = [api.get(f"{path}/pages/{number}").json()["rows"] for number in (1, 2)]
    assert rows == [
        [{"email": "anna@example.com", "language": "en"}],
        [{"email": "ida@example.com", "language": "en"}],
    ]
    assert [each["id"] for each in api.get(PATH).json()["results"]] == [ready["id"]]


@pytest.mark.parametrize("number", ["0", "3", str(2**70), "x"])
def test_a_page_that_is_not_there_is_not_found(api, anna, number) -> None:
    begun = api.post(PATH, {"kind": "followers"}).json()
    write.run(Export.objects.get().pk)
    assert api.get(f"{PATH}/{begun['id']}/pages/{number}").status_code == 404


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"kind": "cats"}, "kind"),
        ({"kind": "followers", "columns": ["cats"]}, "columns"),
        ({"kind": "followers", "filter": {"colour": "red"}}, "filter"),
        ({"kind": "segment"}, "filter"),
        ({"kind": "deliveries", "filter": {"notification": "x"}}, "filter"),
        ({}, "kind"),
    ],
)
def test_what_can_not_be_taken_out_is_refused(api, sent, field) -> None:
    refused = api.post(PATH, sent)
    assert refused.status_code == 400
    assert [each["field"] for each in refused.json()["errors"]] == [field]
    assert not Export.objects.exists()


def test_each_kind_takes_the_scope_of_its_rows(api, anna) -> None:
    begun = api.post(PATH, {"kind": "campaigns"}).json()
    narrow = make_client("followers:read")
    assert narrow.post(PATH, {"kind": "campaigns"}).status_code == 403
    assert narrow.get(f"{PATH}/{begun['id']}").status_code == 404
    assert narrow.get(PATH).json()["results"] == []
    assert narrow.post(PATH, {"kind": "tags"}).status_code == 202
    assert api.post(PATH, {"kind": "staff"}).status_code == 400
