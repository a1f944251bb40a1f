"""Web push from the preference page: a browser connects itself, stays known,
shows what is pushed, and goes.
"""

import datetime as dt
import json
import time
from typing import Any
from urllib.parse import parse_qs

import pytest
import time_machine
from django.test import Client
from playwright.sync_api import Browser, Page, expect

from apps.followers.devices import push_devices
from apps.followers.models import Follower
from apps.notifications.accounts.browser_push import vapid_public_key
from apps.notifications.models import Delivery, ProviderAccount
from tests import looks
from tests.make import make_type
from tests.patience import PATIENCE
from tests.subscriptions.pages import fresh_path, visit
from tests.subscriptions.world import connect_browser, make_warning, make_web_push, subscription

DISCONNECT = "Disconnect"
FIREFOX = "Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0"


@pytest.fixture(autouse=True)
def world(db: None, settings: Any) -> None:
    settings.PUSH_SERVICES = ["push.test"]
    make_type("news", channels=["email", "web_push"])
    make_web_push()


def browsers(follower: Follower) -> list[str]:
    return [row.value.rpartition("/")[2] for row in push_devices.devices_of(follower)]


def connect(client: Client, follower: Follower, name: str = "one", **fields: str) -> Any:
    path = f"{fresh_path(follower)}browsers/"
    return client.post(path, subscription(name) | fields, headers={"user-agent": FIREFOX})


def test_a_browser_connects_and_each_visit_keeps_it_known(client: Client, anna: Follower) -> None:
    make_warning()
    with time_machine.travel(dt.datetime(2026, 5, 4, tzinfo=dt.UTC), tick=False) as clock:
        assert connect(client, anna).status_code == 204
        clock.shift(dt.timedelta(days=3))
        connect(client, anna)
        [row] = push_devices.devices_of(anna)
        assert row.seen_at == dt.datetime(2026, 5, 7, tzinfo=dt.UTC)
    page = visit(client, fresh_path(anna))
    assert "Firefox · Android" in page.text
    assert "last here on 7 May 2026" in page.text
    # one mail tells the person, so that whoever has the link of a forwarded mail can't do that
    # unnoticed
    mail = Delivery.objects.get(notification__notification_type__key="security_alert")
    assert (mail.channel, mail.notification.data["label"]) == ("email", "Firefox · Android")


def test_a_subscription_that_was_renewed_takes_the_place_of_the_old_one(
    client: Client, anna: Follower
) -> None:
    connect(client, anna, "old")
    connect(client, anna, "new", replaces="https://push.test/send/old")
    assert browsers(anna) == ["new"]


def test_nobody_takes_another_persons_browser_away(
    client: Client, anna: Follower, boris: Follower
) -> None:
    theirs = connect_browser(boris, "theirs")
    connect(client, anna, "mine", replaces="https://push.test/send/theirs")
    client.post(f"{fresh_path(anna)}browsers/remove/", {"device": str(theirs.uid)})
    assert (browsers(anna), browsers(boris)) == (["mine"], ["theirs"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"endpoint": "https://169.254.169.254/x.push.test/"},
        {"endpoint": "nothing"},
        {"p256dh": "x"},
        {"auth": ""},
    ],
)
def test_what_no_browser_says_is_refused(
    client: Client, anna: Follower, wrong: dict[str, str]
) -> None:
    assert connect(client, anna, **wrong).status_code == 400
    assert browsers(anna) == []


def test_a_browser_is_disconnected_without_javascript(client: Client, anna: Follower) -> None:
    connect_browser(anna)
    page = visit(client, fresh_path(anna))
    after = page.press(DISCONNECT)
    assert "The browser is disconnected." in after.notice
    assert browsers(anna) == []
    assert page.press(DISCONNECT).response.status_code == 200
    assert "Browser: no browser yet – add this one below." in after.text


def test_the_page_loads_one_script_of_our_own_and_only_for_this(
    client: Client, anna: Follower
) -> None:
    [script] = visit(client, fresh_path(anna)).html.iter("script")
    assert (script.get("src"), script.text) == ("/static/carillon/push.js", None)
    assert script.get("type") == "module"


def test_the_page_opens_when_our_own_key_can_not_be_read(client: Client, anna: Follower) -> None:
    ProviderAccount.objects.update(settings="lost")
    assert vapid_public_key() is None
    assert client.get(fresh_path(anna)).status_code == 200


def test_the_service_worker_may_serve_the_public_pages_and_is_asked_for_anew(
    client: Client,
) -> None:
    answer = client.get("/p/push-worker.js")  # its scope is /p/, where it stands
    assert answer.headers["Content-Type"] == "text/javascript"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert "worker-src 'self'" in answer.headers["Content-Security-Policy"]


# A push service can't be asked here: the browser's answer to `subscribe` is made up,
# all else is Chromium's own.
SUBSCRIBED = """saved => {
    const stub = () => ({
        endpoint: saved.endpoint,
        toJSON: () => ({endpoint: saved.endpoint, keys: {p256dh: saved.p256dh, auth: saved.auth}}),
        unsubscribe: async () => { localStorage.removeItem("subscribed"); return true; },
    });
    PushManager.prototype.subscribe = async options => {
        window.asked = options.applicationServerKey;
        localStorage.setItem("subscribed", "1");
        return stub();
    };
    PushManager.prototype.getSubscription = async () =>
        localStorage.getItem("subscribed") ? stub() : null;
}"""


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_chromium_connects_shows_what_is_pushed_and_disconnects(
    browser: Browser, live_server: Any, anna: Follower
) -> None:
    first = subscription("one")
    sent: list[dict[str, list[str]]] = []
    with looks.watched(browser, base_url=live_server.url) as page:
        page.context.grant_permissions(["notifications"], origin=live_server.url)
        page.add_init_script(f"({SUBSCRIBED})({json.dumps(first)})")
        page.on(
            "request",
            lambda asked: (
                sent.append(parse_qs(asked.post_data or "")) if asked.method == "POST" else None
            ),
        )
        page.goto(fresh_path(anna))
        page.get_by_role("button", name="Get notifications in this browser").click()
        expect(page.get_by_text("This browser is connected.")).to_be_visible()
        expect(page.get_by_text("this one", exact=True)).to_be_visible()
        assert sent[0]["server_key"] == [vapid_public_key()]
        assert browsers(anna) == ["one"]

        shown = _push(
            page,
            live_server.url,
            {"title": "Your order", "body": "is on its way", "link": "/p/link/", "tag": "o-1"},
        )
        assert shown == [["Your order", "is on its way", "o-1", {"link": "/p/link/"}]]

        # the push service gives the browser another address while no page is open;
        # a visit then finds this one again
        [worker] = page.context.service_workers
        for old, new in ((first, subscription("renewed")), (subscription("renewed"), first)):
            worker.evaluate(
                f"renew({{endpoint: {json.dumps(old['endpoint'])}}}, {{toJSON: () =>"
                f" ({_as_json(new)})}})"
            )
            assert browsers(anna) == [new["endpoint"].rpartition("/")[2]]

        page.reload()
        page.get_by_role("button", name=DISCONNECT).click()
        expect(page.get_by_text("The browser is disconnected.")).to_be_visible()
        assert browsers(anna) == []
        assert page.evaluate("localStorage.getItem('subscribed')") is None


def _as_json(subscribed: dict[str, str]) -> str:
    """As `PushSubscription.toJSON()` nests it."""
    return json.dumps(
        {
            "endpoint": subscribed["endpoint"],
            "keys": {key: subscribed[key] for key in ("p256dh", "auth")},
        }
    )


def _push(page: Page, site: str, payload: dict[str, str]) -> Any:
    """Deliver a push message as the push service would,
    and the notifications that are shown then.
    """
    devtools = page.context.new_cdp_session(page)
    workers: list[dict[str, str]] = []
    devtools.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda told: workers.extend(told["registrations"]),
    )
    devtools.send("ServiceWorker.enable")
    deadline = time.monotonic() + PATIENCE
    while not workers and time.monotonic() < deadline:
        page.wait_for_timeout(20)
    message = {
        "origin": site,
        "registrationId": workers[0]["registrationId"],
        "data": json.dumps(payload),
    }
    devtools.send("ServiceWorker.deliverPushMessage", message)
    page.wait_for_function(
        "navigator.serviceWorker.ready.then(r => r.getNotifications()).then(all => all.length)"
    )
    return page.evaluate(
        "navigator.serviceWorker.ready.then(r => r.getNotifications()).then("
        "all => all.map(each => [each.title, each.body, each.tag, each.data]))"
    )
