"""The subscription center, as a browser without JavaScript meets it."""

import datetime as dt
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from apps.accounts.models import AuditEntry
from apps.followers.consent.acts import set_preferences
from apps.followers.consent.matrix import matrix
from apps.followers.consent.record import Proof
from apps.followers.devices.webhooks import create_webhook
from apps.followers.models import ChannelMute, ConsentRecord, Follower, NotificationType, Preference
from apps.followers.people.contacts import change_follower
from apps.followers.people.profile import Profile
from apps.lib import tokens
from tests.followers.fields.world import make_field
from tests.make import TESTER, make_follower, make_type
from tests.subscriptions.pages import everything_stored, fresh_path, preferences_path, visit

SAVE = "Save my choices"
LEAVE = "Unsubscribe from everything"
BACK = "Subscribe again"
UNDO = "Undo"
CHOICES = (Preference, ChannelMute)


@pytest.fixture
def kinds(db: None) -> dict[str, NotificationType]:
    return {
        "security": make_type("security", category="critical", position=1),
        "news": make_type(
            "news",
            position=2,
            translations={"ru": {"name": "Новости", "description": "Раз в месяц"}},
        ),
        "offers": make_type("offers", position=3, channels=["email"], default_channels=[]),
        "orders": make_type(
            "orders", category="informational", position=4, locked_channels=["email"]
        ),
    }


def words(follower: Follower) -> Any:
    fields = "subscribed", "language", "time_zone"
    return (
        [
            list(model.objects.filter(follower=follower).order_by("pk").values())
            for model in CHOICES
        ],
        Follower.objects.values(*fields).get(pk=follower.pk),
    )


def choices(follower: Follower) -> set[tuple[str, str, bool]]:
    return set(follower.preferences.values_list("notification_type__key", "channel", "allowed"))


def lock_news() -> None:
    """Only what is not commercial can be locked, so its kind changes with it."""
    NotificationType.objects.filter(key="news").update(
        category="informational", commercial=False, locked_channels=["email"]
    )


# ---- what is shown
def test_the_page_shows_every_type_with_its_switches_and_reasons(
    client: Client, anna: Follower, kinds: Any
) -> None:
    page = visit(client, preferences_path(anna))
    assert page.response.status_code == 200
    assert [each.text_content().split()[0] for each in page.html.iter("h3")] == [
        "News",
        "Offers",
        "Orders",
        "Security",
    ]
    assert page.switch("cell", "news:email").checked
    assert not page.switch("cell", "offers:email").checked
    assert "Email, In-app: always on, because you need to know." in page.text
    assert "Email: always on, because it is required." in page.text
    fixed = page.html.find_class("always")
    assert len(fixed) == 3  # security twice, orders by email
    assert all(each.get("aria-describedby") for each in fixed)


def test_a_channel_that_reaches_nobody_yet_says_so_and_a_webhook_is_shown_to_those_who_have_one(
    client: Client, anna: Follower
) -> None:
    """With seven channels the same three sentences stood under each type:
    ten screens on a phone.
    """
    for key in ("orders", "alerts"):
        make_type(
            key,
            category="informational",
            channels=["email", "web_push", "webhook"],
            default_channels=["web_push"],
        )
    page = visit(client, preferences_path(anna))
    assert page.text.count("Browser: no browser yet – add this one below.") == 1
    [reason] = {
        page.switch("cell", f"{key}:web_push").get("aria-describedby")
        for key in ("orders", "alerts")
    }
    assert page.html.get_element_by_id(reason).text_content().startswith("Browser")
    assert "Webhook" not in page.text
    create_webhook(follower=anna, url="https://anna.example/hook", by=TESTER, now=timezone.now())
    page = visit(client, preferences_path(anna))
    page.flip("cell", "orders:webhook").press(SAVE)
    assert choices(anna) == {("orders", "webhook", True)}


def test_a_forwarded_link_shows_no_address_and_no_name(client: Client, kinds: Any) -> None:
    secret = make_follower(
        email="margarethe@example.com",
        phone="+4915112345678",
        name="Margarethe Muster",
        external_id="customer-4711",
        metadata={"iban": "DE00"},
    )
    html = visit(client, preferences_path(secret)).response.content.decode()
    assert "m•••@example.com" in html
    for hidden in (
        "margarethe",
        "Margarethe",
        "Muster",
        "4915112345678",
        "4711",
        "DE00",
        str(secret.uid),
    ):
        assert hidden not in html


def test_the_page_is_private_and_loads_nothing_from_elsewhere(
    client: Client, anna: Follower, kinds: Any
) -> None:
    response = client.get(preferences_path(anna))
    assert response["Referrer-Policy"] == "no-referrer"
    assert response["Cache-Control"] == "no-store"
    assert not response.cookies
    page = visit(client, preferences_path(anna))
    loaded = [
        each.get("src") or each.get("href")
        for each in page.html.iter("img", "script", "link", "iframe")
    ]
    assert all(url.startswith(("/static/", "data:")) for url in loaded)
    assert not list(page.html.iter("script"))
    assert " style=" not in response.content.decode()


def test_the_page_speaks_the_followers_language(
    client: Client, boris: Follower, chen: Follower, kinds: Any
) -> None:
    page = visit(client, preferences_path(boris))
    assert page.html.get("lang") == page.response["Content-Language"] == "ru"
    assert "Ваши настройки сообщений" in page.text
    assert "Раз в месяц" in page.text
    assert visit(client, preferences_path(chen)).html.get("lang") == "en"  # not spoken here
    assert visit(client, preferences_path(chen)).switch("channel", "email").checked


# ---- saving
def test_switches_that_were_moved_are_saved_and_confirmed(
    client: Client, anna: Follower, kinds: Any
) -> None:
    page = visit(client, preferences_path(anna))
    after = (
        page.flip("cell", "news:email")
        .flip("cell", "offers:email")
        .flip("channel", "in_app")
        .press(SAVE)
    )
    assert "Your choices are saved." in after.notice
    assert choices(anna) == {("news", "email", False), ("offers", "email", True)}
    assert [mute.channel for mute in anna.channel_mutes.all()] == ["in_app"]
    assert not after.switch("cell", "news:email").checked
    assert "In-app: off while you have this channel switched off." in after.text
    proof = ConsentRecord.objects.filter(follower=anna).first()
    assert proof is not None
    assert (proof.act, proof.source, proof.wording) == (
        "preferences_changed",
        "preference_center",
        "public-pages-2/en",
    )
    assert proof.ip == "127.0.0.1"


def test_saving_without_moving_anything_stores_nothing(
    client: Client, boris: Follower, kinds: Any
) -> None:
    before = everything_stored()
    after = visit(client, preferences_path(boris)).press("Сохранить мой выбор")
    assert "ничего не изменилось" in after.notice
    assert everything_stored() == before


def test_the_same_form_sent_twice_means_the_same(
    client: Client, anna: Follower, kinds: Any
) -> None:
    page = visit(client, preferences_path(anna)).flip("cell", "news:email")
    page.press(SAVE)
    before = everything_stored()
    again = page.press(SAVE)
    assert again.response.status_code == 200
    assert everything_stored() == before


def test_an_old_page_takes_back_nothing_that_was_said_elsewhere(
    client: Client, anna: Follower, kinds: Any
) -> None:
    page = visit(client, preferences_path(anna))
    now = dt.datetime(2026, 5, 4, tzinfo=dt.UTC)
    set_preferences(
        follower=anna,
        cells={("news", "email"): False},
        mutes={"email": True},
        proof=Proof(source="one_click", by=TESTER, now=now),
    )
    make_type("brand_new")
    page.flip("cell", "news:in_app").press(SAVE)
    assert choices(anna) == {("news", "email", False), ("news", "in_app", False)}
    assert [mute.channel for mute in anna.channel_mutes.all()] == ["email"]


def test_what_must_stay_on_is_ignored_and_said(client: Client, anna: Follower, kinds: Any) -> None:
    page = visit(client, preferences_path(anna))
    lock_news()  # while the page is open
    after = page.flip("cell", "news:email").flip("cell", "news:in_app").press(SAVE)
    assert "This stays on, because it is necessary: News (Email)." in after.notice
    assert choices(anna) == {("news", "in_app", False)}


@pytest.mark.parametrize(
    "cell", ["security:email", "orders:email", "nothing:email", "news:pigeon", "x", "::", ""]
)
def test_a_made_up_form_can_not_switch_off_what_is_locked_or_not_there(
    client: Client, anna: Follower, kinds: Any, cell: str
) -> None:
    response = client.post(
        preferences_path(anna), {"cell_was": cell, "channel_was": "pigeon", "language": "en"}
    )
    assert response.status_code == 303
    assert not Preference.objects.exists()
    assert all(cell.on for row in matrix(anna) if row.key == "security" for cell in row.cells)


def test_language_and_time_zone_are_saved_and_answered_in_the_new_language(
    client: Client, anna: Follower, kinds: Any
) -> None:
    page = visit(client, preferences_path(anna))
    after = page.choose("language", "ru").press("Change language")
    assert "Ваш выбор сохранён." in after.notice
    after = after.choose("time_zone", "Asia/Tokyo").press("Сохранить мой выбор")
    anna.refresh_from_db()
    assert (anna.language, anna.time_zone) == ("ru", "Asia/Tokyo")
    after.press("Отменить")
    anna.refresh_from_db()
    assert (anna.language, anna.time_zone) == ("ru", "Europe/Berlin")


@pytest.mark.parametrize(
    ("field", "value"), [("language", "xx-nonsense"), ("time_zone", "Mars/Olympus")]
)
def test_a_language_or_zone_that_is_not_there_is_refused_and_nothing_is_saved(
    client: Client, anna: Follower, kinds: Any, field: str, value: str
) -> None:
    data = {"language": "en", "time_zone": "", "cell_was": "news:email", field: value}
    response = client.post(preferences_path(anna), data)
    assert response.status_code == 400
    assert "Nothing was saved yet" in response.content.decode()
    assert not Preference.objects.exists()


# ---- leaving, coming back, undoing
def test_unsubscribing_from_everything_keeps_the_reason(
    client: Client, anna: Follower, kinds: Any
) -> None:
    page = visit(client, preferences_path(anna))
    after = page.press(LEAVE, why="too_many", words="  Every day\nis a lot ")
    assert "You are unsubscribed from everything." in after.notice
    anna.refresh_from_db()
    assert not anna.subscribed
    proof = ConsentRecord.objects.filter(follower=anna).first()
    assert proof is not None
    assert (proof.act, proof.reason) == ("unsubscribed", "too_many: Every day is a lot")
    assert not after.has(LEAVE)
    assert (
        visit(client, fresh_path(anna)).press(BACK).notice.startswith("You are subscribed again.")
    )
    anna.refresh_from_db()
    assert anna.subscribed


@pytest.mark.parametrize(
    "fields", [{}, {"why": "made-up"}, {"words": "x" * 5000}, {"why": "other", "words": "\x00"}]
)
def test_no_reason_and_no_nonsense_stands_in_the_way_of_leaving(
    client: Client, anna: Follower, kinds: Any, fields: dict[str, str]
) -> None:
    assert client.post(f"{preferences_path(anna)}unsubscribe/", fields).status_code == 303
    anna.refresh_from_db()
    assert not anna.subscribed


def test_leaving_twice_changes_nothing_more(client: Client, anna: Follower, kinds: Any) -> None:
    page = visit(client, preferences_path(anna))
    page.press(LEAVE)
    before = everything_stored()
    assert "You are unsubscribed from everything." in page.press(LEAVE).notice
    assert everything_stored() == before


def test_undo_restores_exactly_what_was(client: Client, anna: Follower, kinds: Any) -> None:
    first = visit(client, preferences_path(anna)).flip("cell", "offers:email").press(SAVE)
    before = words(anna)
    changed = (
        first.flip("cell", "news:email")
        .flip("channel", "email")
        .choose("time_zone", "")
        .press(SAVE)
    )
    assert words(anna) != before
    undone = changed.press(UNDO)
    assert undone.notice.startswith("Undone.")
    assert words(anna) == before
    stored = everything_stored()
    changed.press(UNDO)  # pressed twice
    assert everything_stored() == stored


def test_a_person_says_no_to_being_measured_and_takes_it_back(
    client: Client, anna: Follower, kinds: Any
) -> None:
    page = visit(client, preferences_path(anna)).flip("measured", "on").press(SAVE)
    anna.refresh_from_db()
    assert not anna.measured
    assert not page.switch("measured", "on").checked
    told = AuditEntry.objects.filter(kind="follower.changed", subject_id=str(anna.uid)).latest("pk")
    assert (told.actor_kind, told.data) == (
        "follower",
        {"before": {"measured": True}, "after": {"measured": False}},
    )
    page.press(UNDO)
    anna.refresh_from_db()
    assert anna.measured


def test_a_page_that_was_opened_before_takes_back_no_word_about_being_measured(
    client: Client, anna: Follower, kinds: Any
) -> None:
    old = visit(client, preferences_path(anna))
    visit(client, preferences_path(anna)).flip("measured", "on").press(SAVE)
    old.flip("cell", "news:email").press(SAVE)
    # nor does a form that knew no such switch
    client.post(preferences_path(anna), {"language": "en", "time_zone": "Europe/Berlin"})
    anna.refresh_from_db()
    assert not anna.measured
    change_follower(follower=anna, values=Profile(measured=True), by=TESTER, now=timezone.now())
    client.post(preferences_path(anna), {"language": "en", "time_zone": "Europe/Berlin"})
    anna.refresh_from_db()
    assert anna.measured


def test_undo_of_leaving_comes_back(client: Client, anna: Follower, kinds: Any) -> None:
    before = words(anna)
    visit(client, preferences_path(anna)).press(LEAVE).press(UNDO)
    assert words(anna) == before


def test_undo_is_over_after_a_day(client: Client, anna: Follower, kinds: Any) -> None:
    with time_machine.travel("2026-05-04 12:00 +0000", tick=False) as clock:
        page = visit(client, preferences_path(anna)).press(LEAVE)
        clock.shift(dt.timedelta(hours=25))
        assert page.press(UNDO).notice.startswith("This can’t be undone any more.")
        assert not visit(client, page.url).has(UNDO)
    anna.refresh_from_db()
    assert not anna.subscribed


def test_nobody_undoes_with_another_persons_token(
    client: Client, anna: Follower, boris: Follower, kinds: Any
) -> None:
    page = visit(client, preferences_path(anna)).press(LEAVE)
    stolen = dict(page.form(UNDO).form_values())["undo"]
    before = everything_stored()
    for token in (stolen, stolen[:-1] + "A", "", "nonsense"):
        response = client.post(f"{preferences_path(boris)}undo/", {"undo": token})
        assert response["Location"].endswith("done=too_late")
    assert everything_stored() == before


def test_undo_leaves_alone_what_was_locked_meanwhile(
    client: Client, anna: Follower, kinds: Any
) -> None:
    visit(client, preferences_path(anna)).flip("cell", "news:email").flip(
        "cell", "news:in_app"
    ).press(SAVE)
    page = visit(client, preferences_path(anna))
    page = page.flip("cell", "news:email").flip("cell", "news:in_app").press(SAVE)
    lock_news()
    assert page.press(UNDO).notice.startswith("Undone.")
    assert choices(anna) == {("news", "email", True), ("news", "in_app", False)}


# ---- the link
def test_a_link_still_opens_after_ten_years_and_a_new_secret_key(
    client: Client, anna: Follower, kinds: Any, settings: Any
) -> None:
    with time_machine.travel("2016-05-04 12:00 +0000"):
        path = preferences_path(anna)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "a-new-key" * 6
    assert client.get(path).status_code == 200
    settings.SECRET_KEY_FALLBACKS = []
    assert client.get(path).status_code == 404


def test_a_bad_link_gets_a_friendly_page_with_a_way_on(
    client: Client, anna: Follower, kinds: Any
) -> None:
    good = preferences_path(anna)
    other = tokens.make("unsubscribe", {"f": str(anna.uid), "t": "news"})
    anna_gone = tokens.make("preferences", {"f": "01a1fd4e-b59d-7a37-a004-796fda8a6b6e"})
    for path in (
        good[:-2] + "/",
        good[:20] + "x" + good[21:],
        f"/p/preferences/{other}/",
        f"/p/preferences/{anna_gone}/",
    ):
        page = visit(client, path)
        assert page.response.status_code == 404
        assert "This link does not work" in page.text
        assert page.has("Mail me my link")
        assert page.response["Referrer-Policy"] == "no-referrer"
        before = everything_stored()
        assert client.post(path, {"cell_was": "news:email", "language": "en"}).status_code == 404
        assert client.post(f"{path}unsubscribe/").status_code == 404
        assert everything_stored() == before


def test_a_follower_without_any_type_sees_a_calm_empty_page(client: Client, dana: Follower) -> None:
    page = visit(client, preferences_path(dana))
    assert "There is nothing to choose from at the moment." in page.text
    assert page.press(LEAVE).notice.startswith("You are unsubscribed")


def test_types_cost_no_extra_queries(
    client: Client, anna: Follower, kinds: Any, django_assert_max_num_queries: Any
) -> None:
    for number in range(20):
        make_type(f"more-{number}")
    with django_assert_max_num_queries(15):
        client.get(preferences_path(anna))


# ---- custom fields
def test_a_follower_sees_and_changes_public_fields_and_takes_it_back(
    client: Client, kinds: Any
) -> None:
    make_field(public=True)
    make_field("makes", "choices", public=True)
    make_field("shoes", "number")
    selma = make_follower(email="s@example.com", metadata={"plan": "pro", "shoes": 3})
    page = visit(client, fresh_path(selma))
    assert "About you" in page.text
    assert "Shoes" not in page.text
    [plan] = [each for each in page.html.iter("select") if each.get("id", "").startswith("id_own")]
    page.choose(plan.get("name"), "free")
    names = {each.get("name") or "" for each in page.html.iter("input")}
    [makes] = [name for name in names if name.startswith("own-") and not name.endswith("_was")]
    done = page.flip(makes, "pro").press(SAVE)
    selma.refresh_from_db()
    assert selma.metadata == {"plan": "free", "shoes": 3, "makes": ["pro"]}
    done.press(UNDO)
    selma.refresh_from_db()
    assert selma.metadata == {"plan": "pro", "shoes": 3}


def test_a_forwarded_link_shows_no_field_and_changes_none(client: Client, kinds: Any) -> None:
    field = make_field(public=True)
    selma = make_follower(email="s@example.com", metadata={"plan": "pro"})
    page = visit(client, preferences_path(selma))
    assert "What we know of you is shown to nobody but you" in page.text
    assert "Professional" not in page.text
    page.press(SAVE, own="1", **{f"own-{field.pk}": "free", f"own-{field.pk}_was": '"pro"'})
    selma.refresh_from_db()
    assert selma.metadata == {"plan": "pro"}


def test_fields_that_hold_no_more_do_not_stop_an_opt_out(client: Client, kinds: Any) -> None:
    field = make_field("city", "text", public=True)
    selma = make_follower(email="s@example.com", metadata={"noise": "x" * 16_000})
    page = visit(client, fresh_path(selma))
    answer = page.flip("cell", "news:email").press(SAVE, **{f"own-{field.pk}": "y" * 1_000})
    assert answer.response.status_code == 400
    assert "all else that you changed is saved" in answer.text
    assert choices(selma) == {("news", "email", False)}
    page = visit(client, fresh_path(selma)).press(SAVE, **{f"own-{field.pk}": "Ri\x00ga"})
    assert "remove the control character" in page.text
    selma.refresh_from_db()
    assert selma.metadata == {"noise": "x" * 16_000}
