"""What a list of deliveries is narrowed by, in words, each with the address of the list without."""

import datetime as dt
from urllib.parse import urlencode

from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.campaigns.audience import behaviour
from apps.campaigns.models import Campaign, Recurring
from apps.content.models import Link
from apps.dashboard.content.template_forms import language_name
from apps.followers.models import Channel, NotificationType
from apps.lib.written import written
from apps.notifications.models import Notification
from apps.notifications.reports.became import LABELS, NO_DOMAIN, Did, Narrowing


def chips_of(
    narrowing: Narrowing, notification: Notification | None, query: QueryDict
) -> list[tuple[str, str]]:
    """Say each thing that narrows the list, and the query without it."""
    chips = []
    for name, value in narrowing.given.items():
        others = query.copy()
        for gone in (name, "after", "before"):  # the page one was on is another one's
            others.pop(gone, None)
        chips.append((_words(name, value, notification), others.urlencode()))
    return chips


def segment_query(
    narrowing: Narrowing,
    notification: Notification | None,
    *,
    status: str,
    channel: str,
    narrower: bool,
) -> str:
    """The query by which the page of a new segment begins with the people of this list; "" where
    no rule means them. `narrower`: something else narrows the list, too.
    """
    given = narrowing.given
    cannot = {"begin", "end", "since", "to"} & set(given)
    if narrower or cannot or narrowing.domain == NO_DOMAIN or narrowing.language == NO_DOMAIN:
        return ""
    asked = {name: value for name, value in given.items() if name != "did"}
    if channel or narrowing.domain:  # a domain is of mail
        asked["channel"] = channel or Channel.EMAIL.value
    match narrowing.did, status:
        case ("", "sent"):
            asked["did"] = behaviour.GOT
        case (Did.UNOPENED, ""):
            asked |= {"did": Did.OPENED.value, "channel": Channel.EMAIL.value, "no": "1"}
        case (did, "") if did in behaviour.DIDS:
            asked["did"] = did
        case ("", "") if narrowing.link:
            asked["did"] = Did.CLICKED.value
        case _:
            return ""
    if narrowing.link and asked["did"] != Did.CLICKED:
        return ""
    if notification is not None:
        asked |= _meant(notification)
    return urlencode(asked)


def _meant(notification: Notification) -> dict[str, str]:
    """A notification as a rule names it: by its campaign, if it is the run of one."""
    if campaign := Campaign.objects.filter(runs__notification=notification).first():
        return {"campaign": str(campaign.uid)}
    return {"notification": str(notification.uid)}


def _words(name: str, value: str, notification: Notification | None) -> str:
    match name:
        case "did":
            return str(LABELS[Did(value)])
        case "link":
            return _("clicked {link}").format(link=_url(value, notification))
        case "domain" if value == NO_DOMAIN:
            return _("addresses that are gone")
        case "domain":
            return _("at {domain}").format(domain=value)
        case "language" if value == NO_DOMAIN:
            return _("followers who are gone")
        case "language":
            return _("in {language}").format(language=language_name(value))
        case "campaign" | "recurring" | "type":
            return _named(name, value)
        case "since" | "to":
            day = written(dt.date.fromisoformat(value), "d MMMM y")
            if name == "since":
                return _("from {day}").format(day=day)
            return _("until {day}").format(day=day)
    moment = timezone.localtime(dt.datetime.fromisoformat(value))
    shown = written(moment, "d MMM y, HH:mm")
    if name == "begin":
        return _("from {day}").format(day=shown)
    return _("before {moment}").format(moment=shown)


def _url(number: str, notification: Notification | None) -> str:
    if notification is not None:
        link = Link.objects.filter(version=notification.version_id, number=int(number)).first()
        if link:
            return link.url
    return _("link {number}").format(number=number)


def _named(name: str, value: str) -> str:
    """The name of a campaign, a recurring notification or a type; its value where it is gone."""
    found: Campaign | Recurring | NotificationType | None
    if name == "campaign":
        found = Campaign.objects.filter(uid=value).first()
    elif name == "recurring":
        found = Recurring.objects.filter(uid=value).first()
    else:
        found = NotificationType.objects.filter(key=value).first()
    if found is None:
        return value
    return str(found.name)
