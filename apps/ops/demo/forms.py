"""The demo world's sign-up form, and somebody who signed up with it and waits."""

import datetime as dt

from apps.followers.models import NotificationType
from apps.followers.sign_up.ask import Answers, Place, sign_up
from apps.followers.sign_up.edit import FormValues, create_form
from apps.followers.sign_up.questions import Question
from apps.lib.actor import Actor

TEXTS = {
    "en": {
        "title": "Letters from the foundry",
        "intro": "Twice a month: what we cast, what rang, and where to hear it.",
        "consent": "Yes, mail me product news. I can leave with one click in each mail.",
        "button": "Send me the letters",
    },
    "ru": {
        "title": "Письма из литейной",
        "intro": "Два раза в месяц: что отлили, что звучало и где это услышать.",
        "consent": "Да, присылайте мне новости. Отказаться можно одним нажатием в каждом письме.",
        "button": "Присылайте письма",
    },
}


def make_forms(*, by: Actor, now: dt.datetime) -> None:
    """A form with a question of its own, and three people whose mailboxes are asked now."""
    values = FormValues(
        name="Newsletter on the website",
        texts=TEXTS,
        types=[NotificationType.objects.get(key="update")],
        questions=[
            Question("first_name"),
            Question("instrument", labels={"en": "Your instrument", "ru": "Ваш инструмент"}),
        ],
        tags=["website"],
        welcome=NotificationType.objects.get(key="welcome"),
    )
    form = create_form(key="letters", values=values, by=by, now=now)
    for name, instrument in (("Nora", "Carillon"), ("Pavel", "Handbells"), ("Yuki", "")):
        answers = Answers(
            email=f"{name.lower()}@example.org",
            language="en",
            others={"first_name": name, "instrument": instrument},
        )
        place = Place(ip="203.0.113.7", user_agent="Mozilla/5.0", proven=True)
        sign_up(form=form, answers=answers, place=place, now=now)
