"""Find people, campaigns, templates, message types and pages by a few letters of their names:
the page behind Ctrl-K.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from apps.accounts.actors import user_of
from apps.accounts.models import User
from apps.accounts.permissions import Capability, may, requires
from apps.campaigns.models import Campaign
from apps.content.models import Template
from apps.dashboard.shell import menu
from apps.dashboard.shell.handbook import chapters
from apps.followers.models import Follower, NotificationType
from apps.followers.people.search import find

SHORTEST = 2  # letters; fewer name half of everything
SHOWN = 5  # of each kind
LONGEST = 100  # characters of a search


@dataclass(frozen=True, slots=True)
class Hit:
    label: str
    note: str
    url: str


@dataclass(frozen=True, slots=True)
class HitGroup:
    """Hits of one kind, at most SHOWN; `more` leads to the list that has the others, if any.

    `language` is the hits' own, where it is not that of the page.
    """

    title: str
    icon: str
    hits: list[Hit]
    more: str = ""
    language: str = ""


def found(text: str, *, viewer: User) -> list[HitGroup]:
    """Find what the text names, by kind, without the kinds that have none."""
    text = " ".join(text.split())[:LONGEST]
    if len(text) < SHORTEST:
        return []
    groups = [
        HitGroup(_("Pages"), "layout-text-window-reverse", _pages(text, viewer=viewer)),
        _group(_("Followers"), "people", _followers(text), "followers", text),
        _group(_("Campaigns"), "megaphone", _campaigns(text), "campaigns", text),
        _group(_("Templates"), "file-earmark-text", _templates(text), "templates", text),
        _group(_("Message types"), "sliders", _types(text), "types", text),
        HitGroup(_("Help"), "question-circle", _chapters(text), language="en"),
    ]
    return [group for group in groups if group.hits]


def _group(title: str, icon: str, hits: Iterable[Hit], page: str, asked: str) -> HitGroup:
    """Keep the first hits; where there are more, lead on to the list with the same search."""
    listed = list(hits)
    more = ""
    if len(listed) > SHOWN:
        more = reverse(f"dashboard:{page}", query={"q": asked})
    return HitGroup(title, icon, listed[:SHOWN], more)


def _pages(text: str, *, viewer: User) -> list[Hit]:
    wanted = text.casefold()
    hits = []
    for section, items in menu.SECTIONS:
        for item in items:
            label = str(item.label)
            if wanted in label.casefold() and may(viewer, item.capability):
                hits.append(Hit(label, str(section), reverse(item.url_name)))
    return hits


def _followers(text: str) -> Iterator[Hit]:
    rows = find(text).order_by("-pk").prefetch_related("addresses")
    for follower in rows[: SHOWN + 1]:
        yield _follower(follower)


def _follower(follower: Follower) -> Hit:
    """Show a person by name and first address; by that address or an id where there is no name."""
    values = [address.value for address in follower.addresses.all() if address.primary]
    label, note, *_ = [*filter(None, [follower.name, *values]), "", ""]
    label = label or str(follower)
    return Hit(label, note, reverse("dashboard:follower", args=[follower.uid]))


def _campaigns(text: str) -> Iterator[Hit]:
    rows = Campaign.objects.filter(name__icontains=text).order_by("-pk")
    for campaign in rows[: SHOWN + 1]:
        url = reverse("dashboard:campaign", args=[campaign.uid])
        yield Hit(campaign.name, campaign.get_state_display(), url)


def _templates(text: str) -> Iterator[Hit]:
    named = Q(name__icontains=text) | Q(key__icontains=text)
    rows = Template.objects.filter(named, private=False).order_by("name")
    for template in rows[: SHOWN + 1]:
        url = reverse("dashboard:template", args=[template.uid])
        yield Hit(template.name, template.key, url)


def _types(text: str) -> Iterator[Hit]:
    named = Q(name__icontains=text) | Q(key__icontains=text)
    rows = NotificationType.objects.filter(named).order_by("name")
    for each in rows[: SHOWN + 1]:
        yield Hit(each.name, each.key, reverse("dashboard:type", args=[each.key]))


def _chapters(text: str) -> list[Hit]:
    wanted = text.casefold()
    hits = []
    for chapter in chapters().values():
        if wanted in chapter.title.casefold():
            hits.append(Hit(chapter.title, "", chapter.url))
        for section in chapter.sections:
            if wanted in section.title.casefold():
                url = f"{chapter.url}#{section.anchor}"
                hits.append(Hit(section.title, chapter.title, url))
    return hits[:SHOWN]


@requires(Capability.VIEW)
@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """The page of a search; htmx gets its results alone."""
    text = request.GET.get("q", "")
    groups = found(text, viewer=user_of(request))
    context = {"text": text, "groups": groups, "short": len(text.strip()) < SHORTEST}
    name = "page"
    if "HX-Request" in request.headers:
        name = "results"
    return render(request, f"dashboard/shell/find/{name}.html", context)


urlpatterns = [path("search/", search, name="search")]
