"""`python -m bench.naive.send tasks|post_office`: press "send"; prints what it took, as JSON."""

import json
import sys
import time

import django


def tasks() -> dict[str, float]:
    """Announce one task for each letter. The cluster, which runs already, sends them meanwhile."""
    from django_q.tasks import async_task

    from bench.naive.letters.models import Letter

    began = time.time()
    for pk in list(Letter.objects.values_list("pk", flat=True)):
        async_task("bench.naive.letters.tasks.send_letter", pk)
    return {"began": began, "announced": time.time()}


def post_office() -> dict[str, float]:
    """Queue a mail for each reader, 500 at a time, and work the queue off with two processes."""
    from django.conf import settings
    from post_office import mail
    from post_office.models import EmailTemplate

    from bench.naive.letters.models import Reader
    from bench.naive.letters.tasks import headers, values

    source = {name: (settings.TEMPLATES[0]["DIRS"][0] / name).read_text() for name in _FILES}
    template = EmailTemplate.objects.create(
        name="newsletter",
        subject=source["subject.txt"].strip(),
        content=source["newsletter.txt"],
        html_content=source["newsletter.html"],
    )
    began = time.time()
    mails = []
    for reader in Reader.objects.iterator():
        context = values(reader)
        mails.append(
            {
                "sender": settings.DEFAULT_FROM_EMAIL,
                "recipients": [reader.email],
                "template": template,
                "context": context,
                "headers": headers(context),
            }
        )
        if len(mails) == 500:
            mail.send_many(mails)
            mails = []
    mail.send_many(mails)
    queued = time.time()
    sent, failed, *_ = mail.send_queued(processes=2)
    return {"began": began, "queued": queued, "ended": time.time(), "sent": sent, "failed": failed}


_FILES = ("subject.txt", "newsletter.txt", "newsletter.html")

if __name__ == "__main__":
    django.setup()
    print(json.dumps({"tasks": tasks, "post_office": post_office}[sys.argv[1]]()))
