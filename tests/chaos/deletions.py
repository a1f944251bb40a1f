"""Rows go that a send at work points to: followers, addresses, the account, templates."""

import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread

from django.db import connection
from django.db.models import ProtectedError
from django.utils import timezone

from apps.campaigns import compose
from apps.campaigns.models import Run
from apps.followers.models import Address, Follower
from apps.followers.people.further_addresses import delete_address
from apps.notifications.accounts import edit
from apps.notifications.accounts.routing import settings_in_use
from apps.notifications.models import Delivery, ProviderAccount
from tests.chaos.kills import GIVE_UP, SLOWNESS
from tests.chaos.log import Log
from tests.chaos.promises import Findings
from tests.chaos.world import World, make_crowd, news
from tests.make import TESTER

TOO_LATE = 5.0  # seconds: as for whoever unsubscribes
TOGETHER = 20  # followers that are deleted at once
SHARE = 10  # of so many followers one goes, and another one's address


def deletions(world: World, findings: Findings, asked: Namespace) -> None:
    people = make_crowd(asked.messages)
    kind = news()
    leaving = people[: len(people) // SHARE]
    without = people[-len(people) // SHARE :]
    world.start_receiver(slowness=SLOWNESS)
    account = ProviderAccount.objects.get(provider="smtp")
    edit.create_account(
        enabled=True,
        name="Spare",
        provider_key="smtp",
        settings=settings_in_use(account),
        by=TESTER,
        now=timezone.now(),
    )
    draft = world.make_campaign("Draft", kind)
    campaign = world.make_campaign("Deletions", kind)
    world.start_worker()
    gone: dict[str, float] = {}
    run = world.send(campaign)
    with _side_by_side(world, run, gone, leaving, without):
        world.until(
            lambda: world.arrived(run) > asked.messages * 0.3, "a third has left", within=GIVE_UP
        )
        account.delete()
        compose.delete_campaign(campaign=draft, by=TESTER, now=timezone.now())
        try:
            campaign.template.delete()
            kept = False
        except ProtectedError:
            kept = True
        findings.add("a template in use can't be deleted", bar="yes", measured=kept, kept=kept)
        world.wait_for(run, within=GIVE_UP)
    _judge(world, findings, run, people, gone)


@contextmanager
def _side_by_side(
    world: World,
    run: Run,
    gone: dict[str, float],
    leaving: Sequence[Follower],
    without: Sequence[Follower],
) -> Iterator[None]:
    """Delete followers and addresses, a third of them while they are planned and the others as the
    mails leave; `gone` learns whose address was deleted when.
    """
    over = Event()
    log = Log(world.folder / "received.jsonl")  # the world's own is read by another thread
    people = SHARE * len(leaving)

    def delete() -> None:
        try:
            for place in range(0, len(leaving), TOGETHER):
                done = place / len(leaving)
                while done > 1 / 3 and len(log.read().of(run.notification.uid)) < done * people / 2:
                    if over.wait(0.1):
                        return
                ids = {person.pk for person in leaving[place : place + TOGETHER]}
                values = Address.objects.filter(follower__in=ids).values_list("value", flat=True)
                named = list(values)
                Follower.objects.filter(pk__in=ids).delete()
                gone.update(dict.fromkeys(named, time.time()))
                for person in without[place : place + TOGETHER]:
                    address = Address.objects.get(follower=person)
                    delete_address(address=address, by=TESTER, now=timezone.now())
                    gone[address.value] = time.time()
        finally:
            connection.close()

    thread = Thread(target=delete, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _judge(
    world: World, findings: Findings, run: Run, people: Sequence[Follower], gone: dict[str, float]
) -> None:
    time.sleep(1)
    mails = world.log.read().of(run.notification.uid)
    copies = world.log.copies(run.notification.uid)
    stayed = {f"p{number}@example.com" for number in range(len(people))} - set(gone)
    late = [each.at - gone[each.recipient] for each in mails if each.recipient in gone]
    findings.note("addresses that were deleted meanwhile", f"{len(gone)}, {len(late)} had a mail")
    findings.none("lost, of those who stayed", len(stayed - set(copies)))
    findings.none("doubles", sum(copies.values()) - len(copies))
    findings.none(
        f"mails later than {TOO_LATE:.0f} s after the address was gone",
        sum(each > TOO_LATE for each in late),
    )
    findings.note("the latest of them", f"{max([0.0, *late]):.2f} s after")
    findings.none("deliveries that point to what is gone", _pointers_to_nothing())
    sheet = world.sheet(run)
    said = f"{sheet.sent} sent, {sum(sheet.skipped.values())} skipped, {sheet.waiting} waiting"
    fine = sheet.waiting == 0 and sheet.sent == len(copies)
    findings.add("delivery report equals the log", bar="exactly", measured=said, kept=fine)


def _pointers_to_nothing() -> int:
    lost = 0
    for column, model in (("follower_id", Follower), ("address_id", Address)):
        there = model.objects.values("pk")
        rows = Delivery.objects.filter(**{f"{column}__isnull": False})
        lost += rows.exclude(**{f"{column}__in": there}).count()
    return lost
