"""Composing and watching a campaign, with forms that work without JavaScript."""

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.campaigns import compose, lifecycle
from apps.campaigns.audience.segments import SegmentValues, create_segment
from apps.campaigns.models import Campaign, CampaignState, Run
from apps.dashboard.shell.balance_sheet import lines_of
from apps.followers.devices.push_devices import AppDevice, register_app
from apps.followers.models import Category, Channel
from apps.notifications.accounts.health import pause
from apps.notifications.books import tallies
from apps.notifications.books.transitions import move
from apps.notifications.engagement import store
from apps.notifications.models import Delivery, DeliveryStatus, ProviderAccount
from apps.notifications.reports.balance import balance
from tests.campaigns.drafts import WORDS, make_campaign, plan
from tests.dashboard.pages import as_role, page_of
from tests.make import TESTER, make_template, make_type

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign(anna: Any, boris: Any) -> Campaign:
    return make_campaign()


def url(name: str, campaign: Campaign) -> str:
    return reverse(f"dashboard:{name}", args=[campaign.uid])


def typed_content(campaign: Campaign, **changes: Any) -> dict[str, Any]:
    """What the browser sends from the first step, changed here and there."""
    return {
        "revision": campaign.revision,
        "name": campaign.name,
        "notification_type": campaign.notification_type.key,
        "channels": campaign.channels,
        "default_language": "en",
        "layout": "",
        "add_language": "",
        "t-en-email-subject": "Hello {{ follower.name }}",
        "t-en-email-html": "<p>Hello</p>",
        "t-en-email-text": "Hello",
        "t-en-in_app-title": "Hello",
        "t-en-in_app-body": "Good news",
        "v-TOTAL_FORMS": "0",
        "v-INITIAL_FORMS": "0",
        "to": "",
        **changes,
    }


# ------------------------------------------------------------------ the whole way
def test_from_an_empty_page_to_a_campaign_that_is_sent(
    client: Client, sender: Any, anna: Any, boris: Any
) -> None:
    make_type()
    library = make_template("letter")
    as_role(client, sender)
    form = {
        "name": "Spring",
        "notification_type": "news",
        "channels": ["email"],
        "template": library.uid,
    }
    answer = client.post(reverse("dashboard:campaign-add"), form)
    campaign = Campaign.objects.get()
    assert answer.url == url("campaign-content", campaign)
    typed = typed_content(campaign, go="next", **{"t-en-email-subject": "Spring is here"})
    assert client.post(url("campaign-content", campaign), typed).url == url(
        "campaign-audience", campaign
    )
    campaign.refresh_from_db()
    assert campaign.created_by == sender
    chosen = {
        "everyone": "on",
        "exclude_followers": "boris@example.com",
        "go": "next",
        "revision": campaign.revision,
    }
    assert client.post(url("campaign-audience", campaign), chosen).url == url(
        "campaign-schedule", campaign
    )
    now = {"when": "now", "zone": "UTC", "go": "next"}
    assert client.post(url("campaign-schedule", campaign), now).url == url(
        "campaign-review", campaign
    )
    review = page_of(client.get(url("campaign-review", campaign)))
    assert "1 of 1 follower" in review.text
    assert "As soon as somebody presses Send" in review.text
    for _ in range(2):  # a double press
        assert client.post(url("campaign-send", campaign)).url == url("campaign", campaign)
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.SENDING
    run = Run.objects.get()
    plan(run)
    assert run.notification.version.translations.get().parts["email"]["subject"] == "Spring is here"
    assert [delivery.follower for delivery in Delivery.objects.all()] == [anna]


# ------------------------------------------------------------------ content
def test_what_was_typed_is_saved_and_an_unknown_word_is_shown_at_its_field(
    client: Client, editor: Any, campaign: Campaign
) -> None:
    as_role(client, editor)
    typed = typed_content(campaign, **{"t-en-email-html": "<p>{{ follower.nam }}</p>"})
    answer = client.post(url("campaign-content", campaign), typed, follow=True)
    page = page_of(answer)
    assert "Saved. Nothing is sent yet." in page.text
    assert "follower.nam does not exist. Did you mean follower.name?" in page.text
    words = campaign.template.versions.get().translations.get().parts
    assert words["email"]["html"] == "<p>{{ follower.nam }}</p>"


def test_a_language_is_added_and_removed(client: Client, editor: Any, campaign: Campaign) -> None:
    as_role(client, editor)
    client.post(url("campaign-content", campaign), typed_content(campaign, add_language="ru"))
    languages = campaign.template.versions.get().translations
    assert sorted(languages.values_list("language", flat=True)) == ["en", "ru"]
    campaign.refresh_from_db()
    client.post(url("campaign-content", campaign), typed_content(campaign, **{"t-ru-remove": "on"}))
    assert list(languages.values_list("language", flat=True)) == ["en"]


def test_values_of_variables_are_asked_for_and_checked(
    client: Client, editor: Any, anna: Any
) -> None:
    needed = [{"name": "places", "type": "number", "required": True}]
    campaign = make_campaign(variables=needed)
    as_role(client, editor)
    row = {
        "v-TOTAL_FORMS": "1",
        "v-INITIAL_FORMS": "1",
        "v-0-name": "places",
        "v-0-type": "number",
        "v-0-required": "on",
    }
    wrong = client.post(
        url("campaign-content", campaign),
        typed_content(campaign, **row, **{"value-places": "many"}),
    )
    assert "Write a number, for example 12.5." in page_of(wrong).text
    client.post(
        url("campaign-content", campaign), typed_content(campaign, **row, **{"value-places": "12"})
    )
    campaign.refresh_from_db()
    assert campaign.data == {"places": 12}


@pytest.mark.reported
def test_a_text_is_said_to_be_made_from_the_html_until_somebody_writes_one(
    client: Client, editor: Any, anna: Any
) -> None:
    mail = {"email": {"subject": "Hi", "html": "<p>Go to <a href='https://x.example'>it</a></p>"}}
    campaign = make_campaign(translations={"en": mail}, channels=["email"])
    as_role(client, editor)
    page = page_of(client.get(url("campaign-content", campaign)))
    assert "Text: made from the HTML" in page.text
    assert "Go to it (https://x.example)" in page.text
    assert "Write my own" in page.text
    typed = typed_content(campaign, **{"t-en-email-text": "My own"})
    client.post(url("campaign-content", campaign), typed)
    page = page_of(client.get(url("campaign-content", campaign)))
    assert "made from the HTML" not in page.text.replace("the text is made from the HTML.", "")


@pytest.mark.reported
@pytest.mark.parametrize("decision", ["keep", "remove"])
def test_the_review_shows_each_language_and_asks_about_one_that_was_forgotten(
    client: Client, sender: Any, anna: Any, boris: Any, decision: str
) -> None:
    words = {"en": WORDS["en"], "ru": WORDS["en"]}
    library = make_template("letter", translations=words)
    campaign = make_campaign(template=library)
    as_role(client, sender)
    typed = typed_content(campaign, **{"t-en-email-subject": "Winter"})
    for name, said in WORDS["en"]["email"].items():
        typed[f"t-ru-email-{name}"] = said
    for name, said in WORDS["en"]["in_app"].items():
        typed[f"t-ru-in_app-{name}"] = said
    client.post(url("campaign-content", campaign), typed)
    page = page_of(client.get(url("campaign-review", campaign)))
    assert "English: 1 person" in page.text
    assert "Winter" in page.text
    assert "Русский: 0 people" in page.text
    assert "still those of the template they came from" in page.text
    client.post(url("campaign-language", campaign), {"language": "ru", "do": decision})
    page = page_of(client.get(url("campaign-review", campaign)))
    assert "still those of the template" not in page.text
    assert ("Русский:" in page.text) == (decision == "keep")


@pytest.mark.reported
def test_a_missing_value_leads_to_its_field_and_one_that_no_word_uses_is_not_asked_for(
    client: Client, sender: Any, anna: Any
) -> None:
    needed = [
        {"name": "places", "type": "number", "required": True},
        {"name": "spare", "type": "string", "required": True},
    ]
    mail = {"email": {"subject": "{{ places }} places", "html": "<p>Come</p>"}}
    campaign = make_campaign(translations={"en": mail}, channels=["email"], variables=needed)
    as_role(client, sender)
    answer = client.get(url("campaign-review", campaign))
    place = f"{url('campaign-content', campaign)}#id_value-places"
    assert f'href="{place}"' in answer.content.decode()
    page = page_of(answer)
    assert "The value places is missing. Give a number for it" in page.text
    assert "spare" not in page.text
    page = page_of(client.get(url("campaign-content", campaign)))
    assert "spare (not used by these words)" in page.text


@pytest.mark.parametrize(
    ("typed", "kept", "shown"),
    [
        ("Share it\r\n\r\n  Look at it ", ["Share it", "Look at it"], "Share it\nLook at it"),
        ('["[1] one", "two"]', ["[1] one", "two"], '["[1] one", "two"]'),
        ('[{"name": "Tea"}]', [{"name": "Tea"}], '[{"name": "Tea"}]'),
    ],
)
def test_a_list_is_written_one_per_line(
    client: Client, editor: Any, anna: Any, typed: str, kept: list[Any], shown: str
) -> None:
    campaign = make_campaign(variables=[{"name": "points", "type": "list"}])
    as_role(client, editor)
    row = {"v-TOTAL_FORMS": "1", "v-INITIAL_FORMS": "1", "v-0-name": "points", "v-0-type": "list"}
    client.post(
        url("campaign-content", campaign), typed_content(campaign, **row, **{"value-points": typed})
    )
    campaign.refresh_from_db()
    assert campaign.data == {"points": kept}
    assert (
        client.get(url("campaign-content", campaign)).context["page"].values["points"].value()
        == shown
    )


def test_the_second_editor_keeps_the_words_and_is_told(
    client: Client, editor: Any, campaign: Campaign
) -> None:
    as_role(client, editor)
    typed = typed_content(campaign, **{"t-en-email-subject": "Mine"})
    compose.change_campaign(
        campaign=campaign,
        values=compose.CampaignValues(name="Theirs"),
        by=TESTER,
        now=timezone.now(),
    )
    answer = client.post(url("campaign-content", campaign), typed)
    assert "Somebody else saved this campaign while you worked on it" in page_of(answer).text
    assert b'value="Mine"' in answer.content
    assert Campaign.objects.get().name == "Theirs"


def test_a_preview_is_rendered_in_a_frame_that_can_do_nothing(
    client: Client, editor: Any, campaign: Campaign
) -> None:
    as_role(client, editor)
    seen = {"preview_as": "anna@example.com", "preview_channel": "email"}
    typed = typed_content(
        campaign, **seen, **{"t-en-email-html": "<p>Dear {{ follower.name }}<script>x</script></p>"}
    )
    answer = client.post(url("campaign-preview", campaign), typed)
    assert b"Dear Anna Weber" in answer.content
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'self'" in policy
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    saved = client.get(url("campaign-preview", campaign))
    assert b"Dear" not in saved.content  # looking keeps nothing
    assert (
        campaign.template.versions.get().translations.get().parts["email"]["html"] == "<p>Hello</p>"
    )


def test_a_broken_template_is_explained_in_the_preview(
    client: Client, editor: Any, campaign: Campaign
) -> None:
    as_role(client, editor)
    typed = typed_content(campaign, **{"t-en-email-html": "<p>{% if %}</p>"})
    answer = client.post(url("campaign-preview", campaign), typed)
    assert answer.status_code == 200
    assert "en.email.html" in page_of(answer).text


def test_a_test_mail_without_an_account_says_what_to_do(
    client: Client, editor: Any, campaign: Campaign
) -> None:
    as_role(client, editor)
    typed = typed_content(campaign, go="test", to="me@example.com")
    answer = client.post(url("campaign-content", campaign), typed, follow=True)
    assert "No email account is enabled. Add or enable one under Channels." in page_of(answer).text
    wrong = client.post(
        url("campaign-content", campaign), typed_content(campaign, go="test", to="me")
    )
    assert "is not an email address" in page_of(wrong).text


# ------------------------------------------------------------------ audience
def test_counting_saves_nothing(client: Client, editor: Any, campaign: Campaign) -> None:
    as_role(client, editor)
    russian = {"all": [{"field": "language", "op": "is", "value": "ru"}]}
    segment = create_segment(
        values=SegmentValues(name="Russian", rules=russian), by=TESTER, now=timezone.now()
    )
    answer = client.post(
        url("campaign-audience", campaign), {"segments": [str(segment.uid)], "go": "count"}
    )
    assert "How many 1 follower" in page_of(answer).text
    assert Campaign.objects.get().audience["everyone"] is True


def test_somebody_nobody_knows_is_named_at_the_field(
    client: Client, editor: Any, campaign: Campaign
) -> None:
    as_role(client, editor)
    answer = client.post(
        url("campaign-audience", campaign), {"followers": "anna@example.com\nghost@example.com"}
    )
    assert "Nobody is known as: ghost@example.com" in page_of(answer).text
    client.post(url("campaign-audience", campaign), {"followers": "ANNA@example.com"})
    assert "anna@example.com" in client.get(url("campaign-audience", campaign)).content.decode()


# ------------------------------------------------------------------ schedule
@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (
            {"when": "later", "wall": "2027-03-28T02:30", "zone": "Europe/Berlin"},
            "Choose 03:00 or later",
        ),
        ({"when": "later", "wall": "2020-01-01T09:00", "zone": "Europe/Berlin"}, "has passed"),
        ({"when": "later", "wall": "", "zone": "Europe/Berlin"}, "Choose a date and a time"),
        ({"when": "later", "wall": "2099-01-01T09:00", "zone": "Berlin"}, "is not a time zone"),
        ({"when": "later", "wall": "2099-01-01T09:00", "zone": ""}, "Choose a time zone"),
        ({"when": "now", "wall": "2099-01-01T09:00", "zone": "UTC"}, "You also wrote a time"),
    ],
)
def test_a_time_that_cannot_be_meant_is_explained_at_its_field(
    client: Client, editor: Any, campaign: Campaign, typed: dict[str, str], message: str
) -> None:
    as_role(client, editor)
    answer = client.post(url("campaign-schedule", campaign), {**typed, "go": "next"})
    assert answer.status_code == 200
    assert message in page_of(answer).text
    assert Campaign.objects.get().wall is None


def test_a_time_is_kept_as_it_was_typed_and_scheduled_by_a_sender(
    client: Client, editor: Any, sender: Any, campaign: Campaign
) -> None:
    as_role(client, editor)
    october = dt.date(timezone.now().year + 1, 10, 31)
    day = october - dt.timedelta(
        days=october.isoweekday() % 7
    )  # its last Sunday: the clocks go back
    typed = {
        "when": "later",
        "wall": f"{day}T02:30",
        "zone": "Europe/Berlin",
        "expires": f"{october}T09:00",
    }
    client.post(url("campaign-schedule", campaign), {**typed, "go": "next"})
    text = page_of(client.get(url("campaign-review", campaign))).text
    assert f"{day:%-d %B %Y}, 02:30 in Europe/Berlin" in text
    assert "This hour happens twice on that day; the first one is meant." in text
    assert f'value="{day}T02:30"'.encode() in client.get(url("campaign-schedule", campaign)).content
    assert client.post(url("campaign-book", campaign)).status_code == 403
    as_role(client, sender)
    assert client.post(url("campaign-book", campaign)).url == url("campaign", campaign)
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.SCHEDULED
    assert campaign.send_at == dt.datetime.combine(day, dt.time(0, 30), dt.UTC)
    answer = client.get(url("campaign-content", campaign), follow=True)
    assert "Take it off the schedule to change it" in page_of(answer).text
    client.post(url("campaign-unschedule", campaign))
    assert client.get(url("campaign-content", campaign)).status_code == 200


# ------------------------------------------------------------------ review and send
def test_what_is_missing_is_listed_with_the_way_there(
    client: Client, sender: Any, anna: Any
) -> None:
    campaign = make_campaign(audience={})
    as_role(client, sender)
    answer = client.post(url("campaign-send", campaign), follow=True)
    page = page_of(answer)
    assert "Choose who gets it." in page.text
    assert url("campaign-audience", campaign) in page.links
    assert Campaign.objects.get().state == CampaignState.DRAFT


def test_an_editor_prepares_and_may_not_send(
    client: Client, editor: Any, viewer: Any, campaign: Campaign
) -> None:
    as_role(client, editor)
    page = page_of(client.get(url("campaign-review", campaign)))
    assert url("campaign-send", campaign) not in page.forms
    assert "Somebody with the role Sender lets this one go" in page.text
    for name in (
        "campaign-send",
        "campaign-pause",
        "campaign-resume",
        "campaign-cancel",
        "campaign-retry",
    ):
        assert client.post(url(name, campaign)).status_code == 403
    as_role(client, viewer)
    assert client.get(url("campaign", campaign)).url == url("campaign-review", campaign)
    assert client.get(url("campaign-review", campaign)).status_code == 200
    for name in ("campaign-content", "campaign-audience", "campaign-schedule"):
        assert client.get(url(name, campaign)).status_code == 403
    assert client.post(url("campaign-archive", campaign)).status_code == 403


@pytest.mark.parametrize(
    "verb", ["send", "book", "pause", "cancel", "retry", "archive", "copy", "delete", "unschedule"]
)
def test_looking_at_an_act_does_nothing(
    client: Client, sender: Any, campaign: Campaign, verb: str
) -> None:
    as_role(client, sender)
    assert client.get(url(f"campaign-{verb}", campaign)).status_code == 405
    assert Campaign.objects.get().state == CampaignState.DRAFT


# ------------------------------------------------------------------ on its way
def test_every_number_of_the_balance_sheet_opens_its_names(
    client: Client, viewer: Any, campaign: Campaign
) -> None:
    run = lifecycle.send_now(campaign=campaign, by=TESTER, now=timezone.now())
    plan(run)
    as_role(client, viewer)
    page = page_of(client.get(url("campaign", campaign)))
    assert not page.inline
    assert "2 of 4 done" in page.text
    lines = lines_of(balance(run.notification))
    assert sum(line.total for line in lines) == 4 == Delivery.objects.count()
    names = reverse("dashboard:deliveries")
    for line in lines:
        for channel, _, count in line.cells:
            link = next(
                (
                    link
                    for link in page.links
                    if f"status={line.status}" in link and f"={channel}" in link
                ),
                "",
            )
            assert bool(count) == link.startswith(f"{names}?notification={run.notification.uid}")
    shown = page_of(
        client.get(
            f"{names}?notification={run.notification.uid}&status=skipped&reason=unsubscribed"
        )
    )
    assert "Борис Иванов" in shown.text
    assert "Anna Weber" not in shown.text


def test_what_waits_for_a_digest_is_told_with_how_long_it_takes(
    client: Client, viewer: Any, campaign: Campaign, chen: Any
) -> None:
    plan(lifecycle.send_now(campaign=campaign, by=TESTER, now=timezone.now()))
    as_role(client, viewer)
    assert "digest" not in page_of(client.get(url("campaign", campaign))).text
    friday = dt.datetime(2027, 6, 4, 15, tzinfo=dt.UTC)
    for days, row in enumerate(
        Delivery.objects.filter(channel="in_app", status="pending").order_by("pk")
    ):
        move(
            Delivery.objects.filter(pk=row.pk),
            DeliveryStatus.HELD,
            due_at=friday - dt.timedelta(days=days),
        )
    text = page_of(client.get(url("campaign", campaign))).text
    assert (
        "2 messages wait for digests, as their readers wish: the last until 4 Jun 2027, 15:00"
        in text
    )
    move(Delivery.objects.filter(due_at=friday), DeliveryStatus.PENDING)
    text = page_of(client.get(url("campaign", campaign))).text
    assert "One message waits for a digest, as its reader wishes: until 3 Jun 2027" in text


def test_the_page_refreshes_itself_while_it_is_sending_and_stops_after(
    client: Client, sender: Any, campaign: Campaign
) -> None:
    run = lifecycle.send_now(campaign=campaign, by=TESTER, now=timezone.now())
    as_role(client, sender)
    assert b'hx-trigger="every 2s"' in client.get(url("campaign", campaign)).content
    part = client.get(f"{url('campaign', campaign)}?state=sending", headers={"HX-Request": "true"})
    assert part.content.strip().startswith(b'<div id="progress"')
    plan(run)
    client.post(url("campaign-pause", campaign))
    over = client.get(f"{url('campaign', campaign)}?state=sending", headers={"HX-Request": "true"})
    assert over.headers["HX-Refresh"] == "true"
    assert b'hx-trigger="every 2s"' not in client.get(url("campaign", campaign)).content


def test_a_mail_server_that_is_down_is_named_where_the_waiting_is_seen(
    client: Client, viewer: Any, campaign: Campaign
) -> None:
    now = timezone.now()
    account = ProviderAccount.objects.create(
        enabled=True, name="Main", provider="smtp", channel=Channel.EMAIL, created_at=now
    )
    plan(lifecycle.send_now(campaign=campaign, by=TESTER, now=now))
    pages = [url("campaign", campaign), reverse("dashboard:home"), reverse("dashboard:home-live")]
    pages.append(reverse("dashboard:notification", args=[campaign.runs.get().notification.uid]))
    as_role(client, viewer)
    for address in pages:
        assert "can't leave just now" not in page_of(client.get(address)).text
    pause(account, detail="mail.example:25 can't be reached: Connection refused", now=now)
    for address in pages:
        text = page_of(client.get(address)).text
        assert (
            "Email can't leave just now: mail.example:25 can't be reached: Connection refused."
            in text
        )
        assert "it goes out by itself later" in text
    ProviderAccount.objects.update(enabled=False)
    assert "No account for Email is switched on" in page_of(client.get(pages[0])).text


def test_devices_of_a_service_without_an_account_are_named_before_and_while_they_wait(
    client: Client, sender: Any, anna: Any
) -> None:
    """With FCM alone nothing goes to Apple's devices;
    until now they waited in silence until the message expired.
    """
    now = timezone.now()
    ProviderAccount.objects.create(
        enabled=True, name="Google", provider="fcm", channel=Channel.PUSH, created_at=now
    )
    kind = make_type(channels=["push"], default_channels=["push"])
    words = {"en": {"push": {"title": "News", "body": "Read it"}}}
    pushed = make_campaign(notification_type=kind, channels=["push"], translations=words)
    said = "No account for Apple Push Notification service is switched on"
    as_role(client, sender)
    register_app(follower=anna, app=AppDevice(service="fcm", token="f" * 100), by=TESTER, now=now)
    assert "No account" not in page_of(client.get(url("campaign-review", pushed))).text
    register_app(follower=anna, app=AppDevice(service="apns", token="a" * 64), by=TESTER, now=now)
    assert said in page_of(client.get(url("campaign-review", pushed))).text
    plan(lifecycle.send_now(campaign=pushed, by=TESTER, now=now))
    pages = [
        url("campaign", pushed),
        reverse("dashboard:notification", args=[pushed.runs.get().notification.uid]),
    ]
    assert all(said in page_of(client.get(page)).text for page in pages)
    ProviderAccount.objects.create(
        enabled=True, name="Apple", provider="apns", channel=Channel.PUSH, created_at=now
    )
    assert all("No account" not in page_of(client.get(page)).text for page in pages)


def test_a_new_campaign_does_not_begin_as_a_kind_that_nobody_can_refuse(
    client: Client, editor: Any
) -> None:
    make_type("security", category=Category.CRITICAL, commercial=False, position=1)
    make_type("news", position=2)
    page = as_role(client, editor).get(reverse("dashboard:campaign-add"))
    assert page.context["form"]["notification_type"].value() == "news"


def test_pause_resume_and_cancel_say_what_they_did(
    client: Client, sender: Any, campaign: Campaign
) -> None:
    plan(lifecycle.send_now(campaign=campaign, by=TESTER, now=timezone.now()))
    as_role(client, sender)
    said = [
        page_of(client.post(url(f"campaign-{verb}", campaign), follow=True)).text
        for verb in ("pause", "resume", "cancel", "cancel")
    ]
    assert "Paused. 2 of 4 wait; 0 were already handed over." in said[0]
    assert "It goes on with the 2 that wait" in said[1]
    assert "Cancelled 2 of 4; 0 already handed over." in said[2]
    assert "Cancelled 2 of 4" in said[3]
    client.post(url("campaign-archive", campaign), follow=True)
    assert "Spring news" not in page_of(client.get(reverse("dashboard:campaigns"))).text
    assert (
        "Spring news"
        in page_of(client.get(f"{reverse('dashboard:campaigns')}?state=archived")).text
    )


def test_a_copy_leaves_out_what_is_gone(client: Client, editor: Any, campaign: Campaign) -> None:
    Campaign.objects.update(audience={"tags": ["gone"]})
    as_role(client, editor)
    answer = client.post(url("campaign-copy", campaign), follow=True)
    assert "The audience was left out: There is no tag “gone”" in page_of(answer).text
    assert Campaign.objects.filter(name="Copy of Spring news", state="draft").exists()


def test_a_draft_can_be_deleted(client: Client, editor: Any, campaign: Campaign) -> None:
    as_role(client, editor)
    assert client.post(url("campaign-delete", campaign)).url == reverse("dashboard:campaigns")
    assert not Campaign.objects.exists()


def test_the_list_costs_the_same_for_one_and_for_many(
    client: Client, viewer: Any, campaign: Campaign, django_assert_max_num_queries: Any
) -> None:
    as_role(client, viewer)
    kind = campaign.notification_type
    for number in range(12):
        other = make_campaign(f"Campaign {number}", notification_type=kind)
        plan(lifecycle.send_now(campaign=other, by=TESTER, now=timezone.now()))
    with django_assert_max_num_queries(8):
        page = page_of(client.get(reverse("dashboard:campaigns")))
    assert "0 of 4" in page.text
    assert (
        "Campaign 3" in page_of(client.get(f"{reverse('dashboard:campaigns')}?q=campaign+3")).text
    )


# ------------------------------------------------------------------ opens and clicks
LINKS = {"en": {"email": {"subject": "Hi", "html": '<p><a href="https://example.com/a">A</a></p>'}}}


def test_the_page_tells_who_opened_and_clicked(
    client: Client, viewer: Any, anna: Any, boris: Any
) -> None:
    campaign = make_campaign(translations=LINKS, channels=["email"])
    plan(lifecycle.send_now(campaign=campaign, by=TESTER, now=timezone.now()))
    mine = Delivery.objects.get(follower=anna)
    as_role(client, viewer)
    page = page_of(client.get(url("campaign", campaign)))
    assert "Opened 0" in page.text
    assert "% of" not in page.text  # of nothing
    place = tallies.Place(mine.notification_id, mine.channel, mine.status, mine.reason)
    tallies.shift(tallies.moved([place], [place._replace(status="sent")]))
    an_hour_ago = timezone.now() - dt.timedelta(hours=1)
    Delivery.objects.filter(pk=mine.pk).update(finished_at=an_hour_ago)
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    store.store([store.Event(mine.uid, link, timezone.now(), agent) for link in (0, 1, 1)])
    page = page_of(client.get(url("campaign", campaign)))
    for said in (
        "Opened 1 100.0 % of 1 sent",
        "Clicked 1 100.0 % of 1 sent",
        "Total clicks 2",
        "https://example.com/a",
    ):
        assert said in page.text
    page = page_of(client.get(reverse("dashboard:delivery", args=[mine.uid])))
    assert page.text.count("Firefox/140.0") == 3
    assert "Clicked" in page.text
    assert "https://example.com/a" in page.text


def test_a_campaign_that_counts_nothing_says_so(client: Client, sender: Any, anna: Any) -> None:
    campaign = make_campaign(translations=LINKS, channels=["email"])
    as_role(client, sender)
    page = page_of(client.get(url("campaign-content", campaign)))
    assert "Open and click tracking" in page.text
    client.post(
        url("campaign-content", campaign), typed_content(campaign)
    )  # a box that is not ticked is not sent
    campaign.refresh_from_db()
    assert not campaign.tracking
    client.post(url("campaign-content", campaign), typed_content(campaign, tracking="on"))
    campaign.refresh_from_db()
    assert campaign.tracking
    client.post(url("campaign-content", campaign), typed_content(campaign))
    plan(lifecycle.send_now(campaign=Campaign.objects.get(), by=TESTER, now=timezone.now()))
    assert not Delivery.objects.filter(notification__tracking=True).exists()
    page = page_of(client.get(url("campaign", campaign)))
    assert "Open and click tracking not counted" in page.text
    assert "Total opens" not in page.text
    client.post(url("campaign-copy", campaign))
    assert not Campaign.objects.latest("pk").tracking
