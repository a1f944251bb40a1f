"""Building a segment row by row, without JavaScript."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.campaigns.audience.segments import SegmentValues, create_segment
from apps.campaigns.models import Segment
from tests.campaigns.drafts import make_campaign
from tests.dashboard.pages import as_role, page_of
from tests.followers.fields.world import make_field
from tests.make import TESTER, make_follower, make_type

pytestmark = pytest.mark.django_db
ADD = "dashboard:segment-add"


def rows(prefix: str, *lines: tuple[str, str, str, str]) -> dict[str, str]:
    typed = {f"{prefix}-TOTAL_FORMS": str(len(lines)), f"{prefix}-INITIAL_FORMS": "0"}
    for number, line in enumerate(lines):
        typed |= {
            f"{prefix}-{number}-{name}": text
            for name, text in zip(("field", "key", "op", "value"), line, strict=True)
        }
    return typed


def typed(*lines: tuple[str, str, str, str], **more: str) -> dict[str, str]:
    return {"name": "Mine", "match": "all", **rows("rows", *lines), **rows("unless"), **more}


@pytest.fixture
def segment(db: None) -> Segment:
    rules = {
        "any": [
            {"field": "language", "op": "is", "value": "ru"},
            {"field": "metadata.plan", "op": "exists"},
        ]
    }
    return create_segment(
        values=SegmentValues(name="Russian", rules=rules), by=TESTER, now=timezone.now()
    )


def test_rows_become_rules_and_come_back_as_rows(client: Client, editor: Any) -> None:
    make_type()
    make_follower(email="a@example.com", tags=["Press Club"])
    as_role(client, editor)
    form = typed(
        ("language", "", "in", "ru, en"),
        ("metadata", "plan", "is", "pro"),
        ("preference/news/email", "", "is", "off"),
        ("subscribed", "", "is", "true"),
        ("", "", "is", ""),
        match="any",
    ) | rows("unless", ("tag", "", "is", "press club"))  # a tag by its name
    answer = client.post(reverse(ADD), form)
    made = Segment.objects.get()
    assert answer.url == reverse("dashboard:segment", args=[made.uid])
    assert made.rules == {
        "any": [
            {"field": "language", "op": "in", "value": ["ru", "en"]},
            {"field": "metadata.plan", "op": "is", "value": "pro"},
            {
                "field": "preference",
                "op": "is",
                "value": {"type": "news", "channel": "email", "choice": "off"},
            },
            {"field": "subscribed", "op": "is", "value": "true"},
        ],
        "not": {"any": [{"field": "tag", "op": "is", "value": "press-club"}]},
    }
    again = client.get(answer.url).content.decode()
    for text in (
        'value="ru, en"',
        'value="plan"',
        'value="press-club"',
        '<option value="preference/news/email" selected',
    ):
        assert text in again


def test_a_number_of_rows_that_was_written_by_hand_starts_again_at_one(
    client: Client, editor: Any
) -> None:
    as_role(client, editor)
    for count in ("9" * 5000, "many", ""):
        answer = client.post(reverse(ADD), typed(add="rows") | {"rows-TOTAL_FORMS": count})
        assert answer.status_code == 200, count
        assert len(answer.context["builder"].rows.forms) == 1


def test_a_row_is_added_without_losing_what_was_typed(client: Client, editor: Any) -> None:
    as_role(client, editor)
    answer = client.post(reverse(ADD), typed(("language", "", "is", "ru"), add="rows"))
    page = answer.content.decode()
    assert 'name="rows-1-value"' in page
    assert 'value="ru"' in page
    assert not Segment.objects.exists()


def test_looking_shows_who_matches_and_why_and_saves_nothing(
    client: Client, editor: Any, anna: Any, boris: Any
) -> None:
    as_role(client, editor)
    text = page_of(client.post(reverse(ADD), typed(("language", "", "is", "ru"), show="1"))).text
    assert "1 follower" in text
    assert "Борис Иванов language is “ru”" in text
    assert "Anna Weber" not in text
    assert not Segment.objects.exists()


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (typed(("name", "", "gt", "3")), "Rule 1: name can't be compared by 'gt'"),
        (
            typed(("language", "", "is", "ru"), ("created_at", "", "before", "soon")),
            "Rule 2 (sign-up date is before)",
        ),
        (typed(("tag", "", "is", "gold")), "There is no tag “gold”"),
        (typed(("language", "", "is", "ru"), name=""), "This field is required"),
        (typed(), "The segment has no rule"),
    ],
)
def test_a_segment_that_cannot_be_is_explained(
    client: Client, editor: Any, form: dict[str, str], message: str
) -> None:
    as_role(client, editor)
    answer = client.post(reverse(ADD), form)
    assert answer.status_code == 200
    assert message in page_of(answer).text
    assert not Segment.objects.exists()


def test_nested_rules_are_edited_as_json(client: Client, editor: Any) -> None:
    russian = {"field": "language", "op": "is", "value": "ru"}
    deep = {"all": [russian, {"any": [russian, {"field": "name", "op": "exists"}]}]}
    segment = create_segment(
        values=SegmentValues(name="Deep", rules=deep), by=TESTER, now=timezone.now()
    )
    as_role(client, editor)
    where = reverse("dashboard:segment", args=[segment.uid])
    assert "Rules as JSON" in page_of(client.get(where)).text
    assert "This is not JSON" in page_of(client.post(where, {"name": "Deep", "source": "{"})).text
    for looking in ({}, {"show": ""}):
        assert (
            "NaN is no number"
            in page_of(
                client.post(where, {"name": "Deep", "source": '{"all": NaN}'} | looking)
            ).text
        )
    assert (
        "nested too deeply"
        in page_of(client.post(where, {"name": "Deep", "source": "[" * 5000})).text
    )
    assert (
        "This field is required" in page_of(client.post(where, {"name": "Deep", "source": ""})).text
    )
    client.post(where, {"name": "Deep", "source": '{"all": [{"field": "tag", "op": "exists"}]}'})
    segment.refresh_from_db()
    assert segment.rules == {"all": [{"field": "tag", "op": "exists"}]}


def test_a_viewer_sees_who_matches_and_changes_nothing(
    client: Client, viewer: Any, segment: Segment, boris: Any
) -> None:
    as_role(client, viewer)
    where = reverse("dashboard:segment", args=[segment.uid])
    page = page_of(client.get(where))
    assert "Борис Иванов" in page.text
    assert not [action for action in page.forms if "segment" in action]
    client.post(where, typed(("language", "", "is", "en")))
    segment.refresh_from_db()
    assert segment.name == "Russian"
    assert client.get(reverse(ADD)).status_code == 403
    assert (
        "language is “ru” or plan is known"
        in page_of(client.get(reverse("dashboard:segments"))).text
    )


def test_a_segment_in_use_is_kept(client: Client, editor: Any, segment: Segment) -> None:
    make_campaign(audience={"segments": [str(segment.uid)]})
    as_role(client, editor)
    answer = client.post(reverse("dashboard:segment-delete", args=[segment.uid]), follow=True)
    assert "uses this segment" in page_of(answer).text
    assert Segment.objects.exists()


def test_a_name_that_is_taken_is_refused_at_its_field(
    client: Client, editor: Any, segment: Segment
) -> None:
    as_role(client, editor)
    answer = client.post(reverse(ADD), typed(("language", "", "is", "ru"), name="Russian"))
    assert "already a segment called “Russian”" in page_of(answer).text


def test_a_custom_field_has_comparisons_that_fit_and_values_to_pick(
    client: Client, editor: Any
) -> None:
    make_field(labels={"en": "Plan"})
    asked = typed(("metadata.plan", "", "in", "")) | {"rows-0-value": ["pro", "free"]}
    page = as_role(client, editor).post(reverse(ADD), asked | {"fit": "1"})
    [row] = page.context["builder"].rows.forms
    assert [op for op, _label in row.operators()] == [
        *("is", "is_not", "in", "not_in", "exists", "not_exists")
    ]
    assert page.content.decode().count("selected>Professional") == 1
    client.post(reverse(ADD), asked)
    made = Segment.objects.get()
    rule = {"field": "metadata.plan", "op": "in", "value": ["pro", "free"]}
    assert made.rules == {"all": [rule]}
    shown = client.get(reverse("dashboard:segment", args=[made.uid]))
    assert shown.content.decode().count(" selected>free") == 1
    refused = client.post(reverse(ADD), typed(("metadata.plan", "", "is", "gold")))
    assert "choose one of: pro, free." in page_of(refused).text
