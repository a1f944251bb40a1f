"""The suppression list over the API."""

import pytest

from apps.followers.models import AddressState, Suppression

PATH = "/api/v1/suppressions"
pytestmark = pytest.mark.django_db


def test_an_address_is_put_on_the_list_found_and_released(api, anna) -> None:
    made = api.post(
        PATH, {"channel": "email", "address": "ANNA@example.com", "note": "asked by phone"}
    )
    assert made.status_code == 201
    assert made.json() | {"reason": "manual", "address": "anna@example.com"} == made.json()
    assert anna.addresses.get(channel="email").state == AddressState.SUPPRESSED
    assert api.get(f"{PATH}?search=ANNA&reason=manual").json()["results"] == [made.json()]
    assert api.get(f"{PATH}?search=boris").json()["results"] == []
    released = api.post(f"{PATH}/{made.json()['id']}/release", {"note": "called back"})
    assert released.status_code == 204
    assert anna.addresses.get(channel="email").state == AddressState.ACTIVE


def test_the_first_reason_stays(api) -> None:
    first = api.post(
        PATH, {"channel": "email", "address": "eve@example.com", "reason": "complaint"}
    ).json()
    assert api.post(PATH, {"channel": "email", "address": "eve@example.com"}).json() == first
    assert Suppression.objects.count() == 1


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"channel": "email", "address": "nobody"}, "address"),
        ({"channel": "in_app", "address": "x"}, "channel"),
        ({"channel": "email", "address": "a@example.com", "reason": "bored"}, "reason"),
        ({"channel": "email"}, "address"),
    ],
)
def test_what_cannot_be_suppressed_is_refused(
    api, problem, sent: dict[str, str], field: str
) -> None:
    problem(api.post(PATH, sent), 400, field=field)


def test_a_release_says_why_and_knows_its_entry(api, problem) -> None:
    entry = api.post(PATH, {"channel": "email", "address": "eve@example.com"}).json()["id"]
    problem(api.post(f"{PATH}/{entry}/release", {}), 400, field="note")
    problem(api.post(f"{PATH}/999/release", {"note": "x"}), 404)
    problem(api.post(f"{PATH}/{10**30}/release", {"note": "x"}), 404)
