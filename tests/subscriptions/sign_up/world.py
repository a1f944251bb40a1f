"""A form, the mail behind it, and a visitor whose browser works."""

import itertools
from typing import Any

from django.test import Client
from django.utils import timezone

from apps.content import stock
from apps.followers.models import SignUp, SignUpForm
from apps.followers.sign_up.edit import FormValues, create_form
from apps.followers.sign_up.questions import Question
from apps.notifications.messages.links import stamp
from apps.notifications.models import Delivery, TypeTemplate
from apps.subscriptions.sign_up import mail, work
from tests.make import TESTER, make_type

TEXTS = {
    "en": {"title": "Letters from the workshop", "consent": "Send me the letters."},
    "ru": {"title": "Письма из мастерской", "consent": "Присылайте мне письма."},
}


def make_form(key: str = "letters", **fields: Any) -> SignUpForm:
    """A form for one type that is off by default, as marketing is; with its mail ready to go."""
    values: dict[str, Any] = {
        "name": key.title(),
        "texts": TEXTS,
        "questions": [Question("first_name"), Question("city", labels={"en": "Your town"})],
        "tags": ["from the site"],
    }
    if "types" not in fields:
        fields["types"] = [make_type(f"{key}_news", default_channels=[])]
    made = create_form(
        key=key, values=FormValues(**(values | fields)), by=TESTER, now=timezone.now()
    )
    make_mail()
    return made


def make_mail() -> None:
    """What the mail that asks is made of, as a site has it."""
    if TypeTemplate.objects.filter(notification_type__key=mail.TYPE).exists():
        return
    kind = make_type(
        mail.TYPE,
        category="critical",
        channels=["email"],
        default_channels=["email"],
        confirms=True,
    )
    template = stock.ensure(mail.TYPE, by=TESTER, now=timezone.now())
    TypeTemplate.objects.create(notification_type=kind, template=template)


def solved(form: str, email: str) -> dict[str, str]:
    """What the script of a page adds: a puzzle and its solution."""
    puzzle = work.puzzle(form, now=timezone.now())
    for number in itertools.count():
        if work.zero_bits(f"{puzzle}:{email}:{number}") >= work.BITS:
            return {"puzzle": puzzle, "solution": str(number)}
    raise AssertionError


def fill_in(client: Client, form: str = "letters", *, email: str, **fields: Any) -> Any:
    """Send the form as our page does with its script."""
    sent = {"email": email, "hosted": "1", **solved(form, email), **fields}
    return client.post(f"/p/join/{form}/", sent)


def asked(client: Client, form: str = "letters", *, email: str, **fields: Any) -> SignUp:
    """Fill in the form and let the task run that mails the address."""
    answer = fill_in(client, form, email=email, **fields)
    assert answer.status_code in (200, 303), answer.content
    row = SignUp.objects.latest("pk")
    mail.send(sign_up_id=row.pk)
    row.refresh_from_db()
    return row


def link_of(row: SignUp) -> str:
    """The address of the button in the mail that a sign-up led to."""
    delivery = Delivery.objects.get(notification__data__sign_up=str(row.uid))
    assert row.follower
    token = stamp(
        delivery=delivery.uid,
        follower=row.follower.uid,
        notification_type=delivery.notification.notification_type_id,
        version=0,
    ).managing
    return f"/p/confirm/{token}/"
