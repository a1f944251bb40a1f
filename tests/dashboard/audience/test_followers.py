"""The pages about followers, as the roles see them."""

import datetime as dt

import pytest
from django.utils import timezone

from apps.followers.consent import acts
from apps.followers.consent.record import Proof
from apps.followers.consent.rhythm import Wishes, set_rhythm
from apps.followers.devices.push_devices import AppDevice, register_app
from apps.followers.models import Follower, Tag
from apps.followers.people.contacts import change_follower
from apps.followers.people.profile import Profile
from apps.followers.people.tagging import tag
from tests.dashboard.pages import as_role, page_of
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import drain, make_version, tell


def form_of(**fields):
    return {
        "name": "",
        "email": "",
        "phone": "",
        "external_id": "",
        "tags": "",
        "metadata": "",
        **fields,
    }


# ------------------------------------------------------------------ the list
def test_an_empty_list_tells_an_editor_to_import_and_a_viewer_whom_to_ask(client, viewer, editor):
    assert "/imports/add/" in page_of(as_role(client, editor).get("/followers/")).links
    page = page_of(as_role(client, viewer).get("/followers/"))
    assert "An editor can import them" in page.text
    assert "/imports/add/" not in page.links


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("", {"Anna Weber", "Борис Иванов", "Chen Li", "Dana Null"}),
        ("q=anna@example", {"Anna Weber"}),
        ("q=138001", {"Chen Li"}),
        ("state=subscribed", {"Anna Weber", "Chen Li", "Dana Null"}),
        ("state=unsubscribed", {"Борис Иванов"}),
        ("language=ru", {"Борис Иванов"}),
        ("tag=vip", {"Anna Weber"}),
        ("tag=vip&state=unsubscribed", set()),
        ("after=nonsense", {"Anna Weber", "Борис Иванов", "Chen Li", "Dana Null"}),
    ],
)
def test_the_list_filters_by_what_was_asked(client, viewer, anna, boris, chen, dana, asked, found):
    tag(followers=[anna], tags=["VIP"], by=TESTER, now=timezone.now())
    text = page_of(as_role(client, viewer).get(f"/followers/?{asked}")).text
    assert {
        name for name in ("Anna Weber", "Борис Иванов", "Chen Li", "Dana Null") if name in text
    } == found
    assert ("Nobody matches" in text) == (not found)


def test_a_long_list_turns_pages_and_comes_back(client, viewer, django_assert_max_num_queries):
    for number in range(60):
        make_follower(email=f"f{number:02}@example.com")
    as_role(client, viewer)
    with django_assert_max_num_queries(15):
        first = client.get("/followers/?state=subscribed")
    assert "f59@example.com" in (text := first.content.decode())
    assert "f09@example.com" not in text
    older = next(link for link in page_of(first).links if "after=" in link)
    assert "state=subscribed" in older
    second = client.get(f"/followers/{older}")
    assert "f09@example.com" in second.content.decode()
    assert any("before=" in link for link in page_of(second).links)


def test_ticked_followers_get_a_tag_and_lose_it_again(client, editor, anna, chen, dana):
    as_role(client, editor)
    back = "/followers/?state=subscribed"
    post = {"follower": [anna.uid, chen.uid], "tag": "Fair 2026", "do": "tag", "back": back}
    for said in ("put on 2 followers", "put on 0 followers. 2 had it already"):
        answer = client.post("/followers/tagging/", post, follow=True)
        assert answer.redirect_chain == [(back, 302)]
        assert said in page_of(answer).text
    assert set(Tag.objects.get().followers.all()) == {anna, chen}
    client.post("/followers/tagging/", post | {"do": "untag", "follower": [anna.uid]})
    assert list(Tag.objects.get().followers.all()) == [chen]


def test_tagging_without_ticks_or_with_a_foreign_way_back_is_harmless(client, editor, anna):
    as_role(client, editor)
    answer = client.post(
        "/followers/tagging/", {"tag": "x", "back": "https://evil.example/"}, follow=True
    )
    assert answer.redirect_chain == [("/followers/", 302)]
    assert "Tick some followers" in page_of(answer).text
    assert (
        client.post("/followers/tagging/", {"follower": ["not-a-uid"], "tag": "x"}).status_code
        == 302
    )
    assert not Tag.objects.exists()


# ------------------------------------------------------------------ one person
def test_the_page_says_when_and_where_a_person_wants_to_be_written_to(client, viewer, anna):
    now = timezone.now()
    as_role(client, viewer)
    said_nothing = page_of(client.get(f"/followers/{anna.uid}/")).text
    assert "Quiet hours None. Digest frequency At once Open and click tracking Yes." in said_nothing
    register_app(
        follower=anna,
        app=AppDevice(service="fcm", token="secret-token", label="Anna's Pixel"),
        by=TESTER,
        now=now,
    )
    change_follower(follower=anna, values=Profile(measured=False), by=TESTER, now=now)
    wishes = Wishes(
        quiet={"4": ["22:00", "09:00"], "5": ["22:00", "09:00"], "6": ["20:00", "07:00"]},
        cadence="weekly",
        digest_at="18:30",
        digest_weekday=4,
        paused_until=now + dt.timedelta(hours=1),
    )
    proof = Proof(source="preference_center", by=TESTER, now=now)
    set_rhythm(follower=anna, values=wishes, proof=proof)
    page = page_of(client.get(f"/followers/{anna.uid}/"))
    for said in (
        "nothing but critical messages",
        "22:00–09:00 Fri, Sat",
        "20:00–07:00 Sun",
        "Once a week, 18:30 on Friday",
        "Open and click tracking No.",
        "Anna's Pixel Mobile push, last seen",
        "Cadence: instant → weekly",
    ):
        assert said in page.text
    assert "secret-token" not in page.text


def test_the_page_of_a_person_shows_addresses_verdicts_messages_and_history(
    client, viewer, receiver, anna, django_assert_max_num_queries
):
    kind = make_type("news")
    notification = tell(kind, [anna], version=make_version())
    drain()
    acts.set_preferences(
        follower=anna,
        cells={("news", "email"): False},
        mutes={"in_app": True},
        proof=Proof(source="preference_center", by=TESTER, now=timezone.now()),
    )
    as_role(client, viewer)
    with django_assert_max_num_queries(25):
        page = page_of(client.get(f"/followers/{anna.uid}/"))
    for said in (
        "anna@example.com Active",
        "switched this message type off",
        "news on email: off",
        "Follower added",
    ):
        assert said in page.text
    assert f"/deliveries/{notification.deliveries.get().uid}/" in page.links
    assert not any("/p/" in link for link in page.links)  # staff don't hold the person's own link
    assert not page.inline
    assert not any("unsubscribe" in form for form in page.forms)  # a viewer only sees


def test_a_person_who_is_not_there_is_not_found(client, viewer, anna):
    as_role(client, viewer)
    assert client.get("/followers/01234567-89ab-7def-8123-456789abcdef/").status_code == 404


def test_unsubscribing_twice_is_once_and_the_way_back_leaves_a_record(client, editor, anna):
    as_role(client, editor)
    url = f"/followers/{anna.uid}/"
    said = page_of(client.post(f"{url}unsubscribe/", follow=True)).text
    assert "is unsubscribed" in said
    assert (
        "was unsubscribed already" in page_of(client.post(f"{url}unsubscribe/", follow=True)).text
    )
    assert "is subscribed again" in page_of(client.post(f"{url}resubscribe/", follow=True)).text
    assert [record.act for record in anna.consent_records.all()] == [
        "subscribed",
        "unsubscribed",
        "subscribed",
    ]
    assert client.get(f"{url}unsubscribe/").status_code == 405


# ------------------------------------------------------------------ adding and editing
def test_a_follower_is_added_once_even_when_the_form_is_sent_twice(client, editor):
    as_role(client, editor)
    page = client.get("/followers/add/")
    post = form_of(name="Ewa", tags="vip, Warsaw, vip", metadata='{"plan": "pro"}', subscribed="on")
    post["once"] = page.context["once"]
    first = client.post("/followers/add/", post)
    second = client.post("/followers/add/", post)
    ewa = Follower.objects.get()
    assert first["Location"] == second["Location"] == f"/followers/{ewa.uid}/"
    assert (ewa.subscribed, ewa.metadata, ewa.tags.count()) == (True, {"plan": "pro"}, 2)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"email": "nobody"}, "is not an email address"),
        ({"phone": "12"}, "is not a phone number"),
        ({"email": "ANNA@example.com"}, "belongs to another follower already: Anna Weber"),
        ({"time_zone": "Mars/Base"}, "is not a time zone"),
        ({"language": "klingonese!"}, "is not a language tag"),
        ({"metadata": "[1]"}, "Write an object"),
        ({"metadata": "{"}, "not JSON"),
        ({"metadata": '{"x": -Infinity}'}, "-Infinity is no number"),
        ({"metadata": "[" * 5000}, "nested too deeply"),
    ],
)
def test_a_bad_value_is_refused_in_words_and_nothing_typed_is_lost(
    client, editor, anna, fields, words
):
    answer = as_role(client, editor).post("/followers/add/", form_of(name="Ewa Kept", **fields))
    page = answer.content.decode()
    assert words in page
    assert "Ewa Kept" in page
    assert Follower.objects.count() == 1


def test_editing_changes_only_what_was_changed(client, editor, anna):
    as_role(client, editor)
    url = f"/followers/{anna.uid}/edit/"
    shown = client.get(url).context["form"].initial
    post = {name: value or "" for name, value in shown.items()} | {
        "metadata": "",
        "name": "Anna Weber-Lang",
    }
    assert client.post(url, post)["Location"] == f"/followers/{anna.uid}/"
    anna.refresh_from_db()
    assert anna.name == "Anna Weber-Lang"
    assert anna.addresses.get().value == "anna@example.com"
    assert page_of(client.get(f"/followers/{anna.uid}/")).text.count("Follower changed") == 1
    client.post(url, post | {"email": "", "phone": "+49 30 1234567"})
    assert [address.value for address in anna.addresses.filter(primary=True)] == ["+49301234567"]


def test_a_name_with_markup_is_only_text(client, viewer):
    evil = make_follower(
        name="<script>alert(1)</script>", metadata={"x": "</pre><img src=x onerror=alert(1)>"}
    )
    as_role(client, viewer)
    for url in ("/followers/", f"/followers/{evil.uid}/"):
        assert not page_of(client.get(url)).inline


# ------------------------------------------------------------------ several addresses
def test_an_editor_adds_an_address_uses_it_and_forgets_the_other(client, editor, anna):
    page = f"/followers/{anna.uid}/"
    as_role(client, editor).post(
        f"{page}addresses/", {"channel": "email", "value": "anna@work.example"}
    )
    first, second = anna.addresses.order_by("pk")
    assert (first.primary, second.primary) == (True, False)
    client.post(f"{page}addresses/{second.uid}/", {"do": "primary"})
    client.post(f"{page}addresses/{first.uid}/", {"do": "remove"})
    client.post(f"{page}addresses/{first.uid}/", {"do": "remove"})
    assert list(anna.addresses.values_list("value", "primary")) == [("anna@work.example", True)]


@pytest.mark.parametrize(
    ("value", "words"), [("boris@example.com", "Борис Иванов"), ("no address", "no address")]
)
def test_an_address_that_can_not_be_had_is_refused_in_words(
    client, editor, viewer, anna, boris, value, words
):
    answer = as_role(client, editor).post(
        f"/followers/{anna.uid}/addresses/", {"channel": "email", "value": value}, follow=True
    )
    assert words in page_of(answer).text
    assert anna.addresses.count() == 1
    assert (
        as_role(client, viewer)
        .post(f"/followers/{anna.uid}/addresses/", {"value": "x@example.org"})
        .status_code
        == 403
    )
