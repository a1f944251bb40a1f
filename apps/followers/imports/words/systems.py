"""Exports of other programs, told by their headings or the name of the file.

The forms are those that the programs write: listmonk's subscriber export; the files of Mailchimp's
audience export; Brevo's contact export; Mautic's contact export and the report of its
do-not-contact list; Customer.io's people export; Novu's subscribers with the names of its API; and
our own.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.followers.imports import status_words
from apps.followers.imports.status_words import OPTED_OUT, SMS_OUT, STATUS, squashed

KEEP = "metadata."  # under its own heading
OBJECT = "metadata"  # a JSON object, whose keys become metadata

# What DoNotContact.reason holds in Mautic.
_MAUTIC_REASONS = {
    "0": "subscribed",
    "1": "unsubscribed",
    "2": "bounced",
    "3": "unsubscribed",
}


@dataclass(frozen=True, slots=True)
class System:
    """A program whose exports are known; headings are squashed.

    It is told by all headings of one set. `targets` go before the guess from a heading alone;
    `options` and `values` are suggested as `Options.read` takes them.
    """

    name: str
    told_by: Sequence[frozenset[str]]
    targets: Mapping[str, str]
    options: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def _sets(*texts: str) -> list[frozenset[str]]:
    return [frozenset(text.split()) for text in texts]


SYSTEMS = (
    System(
        "Carillon",
        _sets("followerid email subscribed createdat"),
        {"followerid": "ignore", "createdat": "ignore", "metadata": OBJECT},
    ),
    System(
        "listmonk",
        _sets("uuid email name attributes status"),
        {"uuid": KEEP, "attributes": OBJECT, "createdat": "subscribed_at", "updatedat": KEEP},
    ),
    System(
        "Mailchimp",
        _sets(
            "emailaddress leid euid",
            "emailaddress memberrating optintime",
            "emailaddress optintime status",
            "email unsubtime unsubcampaignid",
        ),
        {"optintime": "subscribed_at", "region": KEEP, "leid": KEEP, "euid": KEEP},
    ),
    System(
        "Brevo",
        _sets("email addedtime modifiedtime", "contactid email extid", "email emailblacklisted"),
        {
            "extid": "external_id",
            "contactid": KEEP,
            "sms": "phone",
            "whatsapp": KEEP,
            "landlinenumber": KEEP,
            "contacttimezone": "time_zone",
            "doubleoptin": KEEP,  # how somebody came, not whether somebody may be written to
            "emailblacklisted": OPTED_OUT,
            "smsblacklisted": SMS_OUT,
            "emailmarketing": STATUS,
            "smsmarketing": SMS_OUT,
            "addedtime": "subscribed_at",
            "modifiedtime": KEEP,
        },
        # 33612345678, and 12-04-2022 is in April
        {"country": "+", "dates": "day"},
    ),
    System(
        "Mautic",
        _sets(
            "email firstname lastname points preferredlocale",
            "email firstname lastname points lastactive",
            "email dncpreferences",
            "id email firstname lastname dnc",
        ),
        {
            "id": KEEP,
            "mobile": "phone",
            "lastactive": KEEP,
            "phone": KEEP,
            "preferredlocale": "language",
            "dnc": STATUS,
            "dncreason": STATUS,
            "donotcontact": STATUS,
            "dncpreferences": STATUS,
        },
        values=dict.fromkeys(("dnc", "dncreason", "donotcontact"), _MAUTIC_REASONS),
    ),
    System(
        "Customer.io",
        _sets("cioid", "id email unsubscribed createdat"),
        {
            "id": "external_id",  # the id that the company gave
            "cioid": KEEP,
            "createdat": "subscribed_at",
            "unsubscribed": OPTED_OUT,
        },
    ),
    System(
        "Novu",
        _sets("subscriberid email", "subscriberid firstname lastname"),
        {
            "id": KEEP,
            "subscriberid": "external_id",
            "locale": "language",
            "data": OBJECT,
            "deleted": OPTED_OUT,
            "channelsemail": STATUS,
            "preferenceschannelsemail": STATUS,
            "createdat": "subscribed_at",
            "updatedat": KEEP,
        },
    ),
)

# Files that hold only people of one kind; Mailchimp says it nowhere else for those who never
# subscribed.
_FILES = {
    "bounced": re.compile(r"cleaned|bounce"),
    "complained": re.compile(r"complain|spam"),
    "unsubscribed": re.compile(
        r"unsub|nonsub|notsub|opt(ed)?out|blo?a?cklist|suppress|donotcontact|donotmail|abgemeldet|"
        r"отпис"
    ),
}


def recognise(columns: Collection[str]) -> System | None:
    """Tell whose export has these headings."""
    headings = {squashed(column) for column in columns}
    for system in SYSTEMS:
        if any(told <= headings for told in system.told_by):
            return system
    return None


def standing_of_file(name: str) -> str:
    """Tell from the name of a file what all people in it are: a status word, or ""."""
    word = status_words.squashed(name)
    for status, pattern in _FILES.items():
        if pattern.search(word):
            return status
    return ""
