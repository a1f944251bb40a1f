"""Command `manage.py doctor`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from apps.channels.doctor.finding import Verdict
from apps.followers.models import Channel
from apps.lib.refusals import Refused
from apps.notifications.accounts.doctor import examine_account, findings_of
from apps.notifications.models import ProviderAccount


class Command(BaseCommand):
    help = (
        "Looks at every account for mail that is on: SPF, DKIM, DMARC, MX, the way to its server,"
        " and says what to publish. Ends with 1 where something is wrong."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        faults = 0
        for account in ProviderAccount.objects.filter(channel=Channel.EMAIL, enabled=True):
            self.stdout.write(f"{account.name}")
            try:
                examination = examine_account(account=account, now=timezone.now())
            except Refused as error:
                self.stdout.write(f"  fault    {error}")
                faults += 1
                continue
            for each in findings_of(examination):
                faults += each.verdict == Verdict.FAULT
                self.stdout.write(f"  {each.verdict:<8} {each.topic}: {each.said}")
                if each.publish:
                    self.stdout.write(f'           {each.publish.name} TXT "{each.publish.value}"')
        if faults:
            raise CommandError(f"Faults: {faults}.")
