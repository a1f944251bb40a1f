"""Somebody comes, takes all that is held about them, goes without a trace, and comes back by their
own word alone: in Chromium, from another site's page, by the mails that arrive.
"""

import datetime as dt
import json
import re
import zipfile
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from apps.followers.exports import write
from apps.followers.models import Erasure, Export, Follower, PrivacyCode, SignUp, SignUpForm
from apps.followers.privacy import codes, remove
from apps.notifications.models import TypeTemplate
from apps.subscriptions.privacy import mail as code_mail
from apps.subscriptions.sign_up import mail as confirm_mail
from tests import looks
from tests.followers.imports.world import counts, run_import
from tests.make import make_template, make_type
from tests.notifications.world import drain
from tests.receiver import Receiver
from tests.subscriptions.sign_up.test_in_a_browser import shop

__all__ = ["shop"]  # a fixture

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
EMAIL = "ida@example.com"


def latest(receiver: Receiver, pattern: str) -> str:
    """What a pattern finds in the mail that came last."""
    mail = receiver.arrived[-1].mail
    assert EMAIL in mail["To"]
    text = mail.get_body(("plain",)).get_content()
    found = re.search(pattern, text, re.MULTILINE)
    assert found, text
    return found[0].strip()


def sign_up(page: Page, shop: str, receiver: Receiver) -> None:
    """Fill in the form on the other site's page, and press the button of the mail."""
    page.goto(shop)
    page.get_by_label("Your email address").fill(EMAIL)
    page.get_by_label("City").fill("Oslo")
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("status")).to_contain_text("Look into your mailbox")
    confirm_mail.send(sign_up_id=SignUp.objects.latest("pk").pk)
    drain()
    page.goto(latest(receiver, r"http\S+/p/confirm/[^\s>)\]]+"))
    page.get_by_role("button", name="Yes, I want this").click()
    expect(page.get_by_role("status")).to_contain_text("You are signed up")


def center_of(receiver: Receiver) -> str:
    """The link to the preferences in the welcome mail."""
    for each in reversed(receiver.arrived):
        text = each.mail.get_body(("plain",)).get_content()
        if found := re.search(r"http\S+/p/preferences/[^\s>)\]]+", text):
            return found[0]
    raise AssertionError


def code(receiver: Receiver) -> str:
    code_mail.send(code_id=PrivacyCode.objects.latest("pk").pk)
    return latest(receiver, r"^\d{6}\r?$")


def test_somebody_comes_takes_all_along_goes_and_comes_back_by_their_own_word(
    browser: Browser, shop: str, receiver: Receiver, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codes, "PAUSE", dt.timedelta(0))
    welcome = make_type("welcome", category="informational", channels=["email"])
    settings_link = '<p>Welcome.</p><p><a href="{{ links.preferences }}">Settings</a></p>'
    template = make_template("welcome", subject="Welcome to the workshop", html=settings_link)
    TypeTemplate.objects.create(notification_type=welcome, template=template)
    SignUpForm.objects.update(welcome=welcome)
    with looks.watched(browser) as page:
        sign_up(page, shop, receiver)
        drain()
        assert receiver.arrived[-1].mail["Subject"] == "Welcome to the workshop"
        page.goto(center_of(receiver))
        page.get_by_role("link", name="Get or erase all that you hold about me").click()

        # -- all that is held
        page.get_by_role("button", name="Mail me a code", exact=True).click()
        page.get_by_label("The code that we mailed").fill(code(receiver))
        page.get_by_role("button", name="Make the archive").click()
        expect(page.get_by_role("status")).to_contain_text("being made")
        write.run(Export.objects.get().pk)
        page.get_by_role("link", name="Look again").click()
        with page.expect_download() as download:
            page.get_by_role("button", name="Download the archive").click()
        file = tmp_path / "mine.zip"
        download.value.save_as(file)
        with zipfile.ZipFile(file) as pack:
            parts = json.loads(pack.read("everything.json"))["parts"]
        assert parts["addresses"][0]["value"] == EMAIL
        assert parts["fields"][0]["value"] == "Oslo"
        assert parts["sign_ups"][0]["words"] == "Send me the letters."
        subjects = [each["words"].get("subject") for each in parts["messages"]]
        assert "Welcome to the workshop" in subjects

        # -- and away with it
        page.goto(center_of(receiver))
        page.get_by_role("link", name="Get or erase all that you hold about me").click()
        page.get_by_role("button", name="Mail me a code to be erased").click()
        page.get_by_label("The code that we mailed").fill(code(receiver))
        page.get_by_role("button", name="Erase me for good").click()
        expect(page.get_by_role("status")).to_contain_text("Nothing is sent to you any more")
        remove.run(Erasure.objects.get().pk)
        assert not Follower.objects.exists()

        # -- no list brings them back, and their own word does
        assert counts(run_import(f"email,name\n{EMAIL},Ida\n")) == (0, 0, 0, 1)
        assert not Follower.objects.exists()
        sign_up(page, shop, receiver)
    ida = Follower.objects.get(addresses__key=EMAIL)
    assert (ida.subscribed, ida.created_at > timezone.now() - dt.timedelta(hours=1)) == (True, True)
