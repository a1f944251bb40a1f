"""Command `manage.py verify_ledger`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.accounts import ledger


class Command(BaseCommand):
    help = (
        "Walks the chains over the audit log and the consent records, and names the first row that"
        " is not as it was sealed. Keep the last line of each elsewhere: --kept compares with it,"
        " so that you notice, too, when the end was cut off."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--kept",
            action="append",
            default=[],
            metavar="LEDGER:NUMBER:HASH:ERASED",
            help="what an earlier run has said; may be given for each ledger",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        faults = []
        for name in ledger.ledgers():
            verdict = ledger.verify(name)
            if verdict.broken:
                faults.append(f"{name}: {verdict.broken}")
                continue
            self.stdout.write(
                f"{name}: {verdict.links} links hold; of {verdict.erased} what was personal is"
                f" erased, {verdict.unsealed} rows wait for their seal."
            )
            self.stdout.write(f"{name}:{verdict.links}:{verdict.head}:{verdict.erased}")
        for kept in options["kept"]:
            faults += self._compared(kept)
        if faults:
            raise CommandError("\n".join(faults))

    def _compared(self, kept: str) -> list[str]:
        """Say what differs from a line that was kept."""
        name, _, rest = kept.partition(":")
        number, _, rest = rest.partition(":")
        known, _, erased = rest.partition(":")
        if name not in ledger.ledgers() or not (number.isdecimal() and erased.isdecimal()):
            raise CommandError(f"Write --kept as this command prints it, not {kept!r}.")
        if number == "0":
            return []
        found = ledger.hash_at(name, int(number))
        if not found:
            return [f"{name}: link {number} is gone; the chain had it when its hash was kept."]
        if found != known:
            return [f"{name}: link {number} is not the one whose hash was kept."]
        more = ledger.erased_up_to(name, int(number)) - int(erased)
        if more < 0:
            return [f"{name}: fewer links are erased than when the hash was kept."]
        if more:
            self.stdout.write(
                f"{name}: of the links up to {number}, {more} more are erased than when the hash"
                " was kept. Compare with the erasures since then: the chain doesn't show who took"
                " a salt away."
            )
        return []
