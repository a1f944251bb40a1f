"""RFC 8058: one click in a mail program, or one button on a page,
and nothing for those who only look.
"""

from typing import Any

import pytest
from django.test import Client

from apps.followers.consent.matrix import matrix, own_words
from apps.followers.models import ConsentRecord, Follower, NotificationType
from apps.lib import tokens
from apps.notifications.models import DeliveryEvent
from tests.make import make_type
from tests.notifications.world import make_version, tell
from tests.subscriptions.pages import everything_stored, unsubscribe_path, visit
from tests.subscriptions.test_tracking import stamp_of

BODY = "List-Unsubscribe=One-Click"
MULTIPART = (
    "--b0undary\r\nContent-Disposition: form-data;"
    ' name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b0undary--\r\n'
)
ENCODINGS = [
    (BODY, "application/x-www-form-urlencoded"),
    (MULTIPART, "multipart/form-data; boundary=b0undary"),
]


@pytest.fixture
def news(db: None) -> NotificationType:
    make_type("offers")
    return make_type("news")


@pytest.fixture
def server() -> Client:
    """Like a mail server: no cookies, and CSRF is checked if anything asks for it."""
    return Client(enforce_csrf_checks=True)


def one_click(
    server: Client, path: str, body: str = BODY, kind: str = "application/x-www-form-urlencoded"
) -> Any:
    return server.post(path, body, content_type=kind)


def allowed(follower: Follower) -> set[tuple[str, str]]:
    return {(row.key, cell.channel) for row in matrix(follower) for cell in row.cells if cell.on}


@pytest.mark.parametrize(("body", "kind"), ENCODINGS, ids=["urlencoded", "multipart"])
def test_one_click_stops_that_type_by_email_at_once(
    server: Client, anna: Follower, news: Any, body: str, kind: str
) -> None:
    response = one_click(server, unsubscribe_path(anna, news), body, kind)
    assert response.status_code == 200
    assert not response.cookies
    assert allowed(anna) == {("news", "in_app"), ("offers", "email"), ("offers", "in_app")}
    proof = ConsentRecord.objects.filter(follower=anna).first()
    assert proof is not None
    assert (proof.act, proof.source, proof.actor_kind) == (
        "preferences_changed",
        "one_click",
        "follower",
    )


def test_one_click_again_answers_the_same_and_changes_nothing(
    server: Client, anna: Follower, news: Any
) -> None:
    path = unsubscribe_path(anna, news)
    first = one_click(server, path)
    before = everything_stored()
    second = one_click(server, path)
    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert everything_stored() == before


def test_the_message_that_somebody_left_by_is_noted_once(
    server: Client, anna: Follower, boris: Follower, news: Any
) -> None:
    """Results count it; a link that stands in no message leaves no note."""
    sent = tell(news, [anna, boris], version=make_version())
    mail = sent.deliveries.get(follower=anna)
    token = stamp_of(mail).managing
    for _ in range(2):
        assert one_click(server, f"/p/unsubscribe/{token}/").status_code == 200
    assert one_click(server, unsubscribe_path(boris, news)).status_code == 200
    event = DeliveryEvent.objects.get()
    assert (event.delivery, event.kind) == (mail, "unsubscribed")
    assert event.detail == {"how": "one_click"}


def test_one_click_succeeds_for_somebody_who_is_out_or_gone(
    server: Client, boris: Follower, news: Any
) -> None:
    path = unsubscribe_path(boris, news)
    assert one_click(server, path).status_code == 200
    boris.delete()
    before = everything_stored()
    assert one_click(server, path).status_code == 200
    assert everything_stored() == before


@pytest.mark.parametrize("what", ["", "all"])
def test_a_link_of_before_messages_were_stamped_still_opts_out(
    server: Client, anna: Follower, news: Any, what: str
) -> None:
    token = tokens.make("unsubscribe", {"f": str(anna.uid), "t": "news"})
    assert server.post(f"/p/unsubscribe/{token}/", {"what": what}).status_code == 200
    anna.refresh_from_db()
    assert own_words(anna).get(("news", "email")) is (None if what else False)
    assert anna.subscribed is not bool(what)


def test_one_click_without_a_type_opts_out_of_everything(
    server: Client, anna: Follower, news: Any
) -> None:
    token = tokens.make("unsubscribe", {"f": str(anna.uid), "t": ""})
    assert one_click(server, f"/p/unsubscribe/{token}/").status_code == 200
    anna.refresh_from_db()
    assert not anna.subscribed


def test_a_type_that_is_gone_or_no_longer_by_email_does_not_swallow_the_word(
    server: Client, anna: Follower, boris: Follower, news: Any
) -> None:
    path = unsubscribe_path(anna, news)
    NotificationType.objects.filter(key="news").update(channels=["in_app"])
    assert one_click(server, path).status_code == 200
    anna.refresh_from_db()
    assert not anna.subscribed


@pytest.mark.parametrize("agent", ["", "Mozilla/5.0", "Google-One-Click", "python-requests/2.32"])
def test_one_click_does_not_care_who_asks(
    server: Client, anna: Follower, news: Any, agent: str
) -> None:
    path = unsubscribe_path(anna, news)
    response = server.post(
        path, BODY, content_type="application/x-www-form-urlencoded", headers={"user-agent": agent}
    )
    assert response.status_code == 200
    assert ("news", "email") not in allowed(anna)


def test_one_click_outlives_the_secret_key(
    server: Client, anna: Follower, news: Any, settings: Any
) -> None:
    path = unsubscribe_path(anna, news)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "a-new-key" * 6
    assert one_click(server, path).status_code == 200
    assert ("news", "email") not in allowed(anna)


def test_a_token_that_was_changed_stops_nothing(server: Client, anna: Follower, news: Any) -> None:
    path = unsubscribe_path(anna, news)
    before = everything_stored()
    old = tokens.make("unsubscribe", {"f": str(anna.uid), "t": "news"})
    other = path[:40] + ("b" if path[40] == "a" else "a") + path[41:]
    for bad in (path[:-2] + "/", other, "/p/unsubscribe/x/", f"/p/unsubscribe/{old[:-1]}/"):
        assert one_click(server, bad).status_code == 404
    forged = tokens.make("preferences", {"f": str(anna.uid), "t": "news"})
    assert one_click(server, f"/p/unsubscribe/{forged}/").status_code == 404
    assert everything_stored() == before


def test_where_it_came_from_is_read_behind_known_proxies_only(
    server: Client, anna: Follower, boris: Follower, news: Any, settings: Any
) -> None:
    def come(follower: Follower) -> str | None:
        server.post(
            unsubscribe_path(follower, news),
            BODY,
            content_type="application/x-www-form-urlencoded",
            headers={"x-forwarded-for": "198.51.100.7, 203.0.113.9"},
        )
        return ConsentRecord.objects.filter(follower=follower).values_list("ip", flat=True).first()

    assert come(anna) == "127.0.0.1"
    settings.PROXY_COUNT = 1
    assert come(boris) == "203.0.113.9"


# ---- people
def test_looking_at_the_link_asks_and_changes_nothing(
    client: Client, anna: Follower, news: Any
) -> None:
    before = everything_stored()
    page = visit(client, unsubscribe_path(anna, news))
    assert page.response.status_code == 200
    assert "Stop these messages to a•••@example.com?" in page.text
    assert "anna@example.com" not in page.text
    assert everything_stored() == before


def test_a_person_stops_one_type_then_everything_with_buttons(
    client: Client, anna: Follower, news: Any
) -> None:
    page = visit(client, unsubscribe_path(anna, news)).press("Stop these emails")
    assert page.response.status_code == 200
    assert "You will not get “News” by email any more." in page.notice
    assert ("offers", "email") in allowed(anna)
    assert ConsentRecord.objects.filter(follower=anna, source="preference_center").count() == 1
    page = page.press("Unsubscribe from everything")
    assert "All news and offers have stopped." in page.notice
    anna.refresh_from_db()
    assert not anna.subscribed


def test_the_page_knows_what_was_said_before(client: Client, anna: Follower, news: Any) -> None:
    path = unsubscribe_path(anna, news)
    visit(client, path).press("Stop these emails")
    assert "You don’t get “News” by email any more." in visit(client, path).notice
    visit(client, path).press("Unsubscribe from everything")
    assert "You are unsubscribed from everything already." in visit(client, path).notice


def test_the_page_leads_on_to_all_preferences(client: Client, anna: Follower, news: Any) -> None:
    link = visit(client, unsubscribe_path(anna, news)).html.xpath("//main//a/@href")[0]
    assert "Your message preferences" in visit(client, link).text
