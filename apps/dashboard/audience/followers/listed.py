"""Followers: the list with its filters, and tags for many of them."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.actors import staff_actor
from apps.accounts.permissions import Capability, requires
from apps.dashboard.shell.paging import page_of
from apps.followers.models import Follower, Tag
from apps.followers.people import search, tagging
from apps.lib.ids import read_uid
from apps.lib.refusals import Refused

TAGS_OFFERED = 500  # in the filter
STATES = {"subscribed": True, "unsubscribed": False}  # what the filter offers, as `subscribed`


@requires(Capability.VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    asked = {name: request.GET.get(name, "").strip() for name in ("q", "state", "tag", "language")}
    tags = []
    if asked["tag"]:
        tags = [asked["tag"]]
    subscribed = STATES.get(asked["state"])
    found = search.listed(
        search=asked["q"], subscribed=subscribed, tags=tags, language=asked["language"]
    )
    page = page_of(request, found.rows)
    filtered = any(asked.values())
    offered = Tag.objects.all()[:TAGS_OFFERED]
    context = {
        "page": page,
        "count": found.count,
        "asked": asked,
        "filtered": filtered,
        "tags": offered,
    }
    return render(request, "dashboard/audience/followers/list.html", context)


@requires(Capability.EDIT)
@require_POST
def bulk(request: HttpRequest) -> HttpResponse:
    """Put a tag on the ticked followers, or take it off."""
    back = request.POST.get("back", "")
    own = {request.get_host()}
    if not url_has_allowed_host_and_scheme(back, allowed_hosts=own):
        back = reverse("dashboard:followers")
    name = request.POST.get("tag", "").strip()
    ticked = map(read_uid, request.POST.getlist("follower"))
    chosen = list(Follower.objects.filter(uid__in=filter(None, ticked)))
    if not name or not chosen:
        messages.error(request, gettext("Tick some followers and type the name of a tag."))
        return redirect(back)
    removing = request.POST.get("do") == "untag"
    if removing:
        act = tagging.untag
    else:
        act = tagging.tag
    try:
        by = staff_actor(request)
        changed = act(followers=chosen, tags=[name], by=by, now=timezone.now())
    except Refused as error:
        messages.error(request, str(error))
        return redirect(back)
    messages.success(request, _tagged(name, changed, len(chosen) - changed, removing=removing))
    return redirect(back)


def _tagged(name: str, changed: int, same: int, *, removing: bool) -> str:
    """Say what became of a tag: on or off how many followers, and how many were so before."""
    if removing:
        said = ngettext(
            "The tag {name} was taken off {count} follower.",
            "The tag {name} was taken off {count} followers.",
            changed,
        )
        return said.format(name=name, count=changed)
    said = ngettext(
        "The tag {name} was put on {count} follower.",
        "The tag {name} was put on {count} followers.",
        changed,
    )
    said = said.format(name=name, count=changed)
    if same:
        had = ngettext("{count} had it already.", "{count} had it already.", same)
        said = f"{said} {had.format(count=same)}"
    return said


urlpatterns = [
    path("followers/", index, name="followers"),
    path("followers/tagging/", bulk, name="followers-tagging"),
]
