"""The task that people write: load, render, track the links, send, save."""

import re

from django.core import signing
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import timezone

from bench.naive.letters.models import Letter, Reader

SITE = "https://news.example.org"
HREF = re.compile(r'href="(https://[^"]+)"')


def values(reader: Reader) -> dict[str, object]:
    token = signing.dumps({"reader": reader.pk})
    return {
        "follower": {
            "name": reader.name,
            "first_name": reader.name.split()[0],
            "email": reader.email,
            "metadata": reader.metadata,
        },
        "site": {"name": "The Garden Society", "address": "1 Bell Street, 12345 Example Town"},
        "links": {"unsubscribe": f"{SITE}/u/{token}", "preferences": f"{SITE}/p/{token}"},
    }


def headers(context: dict) -> dict[str, str]:
    return {
        "List-Unsubscribe": f"<{context['links']['unsubscribe']}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def tracked(html: str, letter: Letter) -> str:
    """Each link through a redirect of ours, and a pixel."""

    def through_us(found: re.Match[str]) -> str:
        if found[1].startswith((f"{SITE}/u/", f"{SITE}/p/")):
            return found[0]
        return f'href="{SITE}/c/{signing.dumps({"letter": letter.pk, "url": found[1]})}"'

    pixel = f'<img src="{SITE}/o/{signing.dumps(letter.pk)}.gif" width="1" height="1" alt="">'
    return HREF.sub(through_us, html).replace("</body>", f"{pixel}</body>")


def send_letter(pk: int) -> None:
    letter = Letter.objects.select_related("reader").get(pk=pk)
    if letter.sent_at:
        return
    context = values(letter.reader)
    mail = EmailMultiAlternatives(
        subject=render_to_string("subject.txt", context).strip(),
        body=render_to_string("newsletter.txt", context),
        to=[letter.reader.email],
        headers=headers(context),
    )
    mail.attach_alternative(
        tracked(render_to_string("newsletter.html", context), letter), "text/html"
    )
    mail.send()
    letter.sent_at = timezone.now()
    letter.save()
