"""The subscription center: everything one person may say about being written to, behind a signed
link.
"""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from apps.followers.consent.acts import Words
from apps.followers.consent.matrix import matrix
from apps.followers.consent.rhythm import Wishes, rhythm_of, zone_of
from apps.followers.profile_fields import BadFollower
from apps.subscriptions.center import choices, forms, intent
from apps.subscriptions.center.page import SOURCE, back, page
from apps.subscriptions.center.rhythm_form import RhythmForm
from apps.subscriptions.mail_link import mail_fresh
from apps.subscriptions.public import (
    follower_of,
    is_fresh,
    posted,
    posted_or_nothing,
    proof,
    public_page,
    read_link,
)
from apps.subscriptions.wording import BAD_PAUSE, OWN_UNKEPT


@public_page
@require_http_methods(["GET", "HEAD", "POST"])
def preferences(request: HttpRequest, token: str) -> HttpResponse:
    """The page, and saving what was moved on it."""
    link = read_link("preferences", token)
    follower = follower_of(link)
    if request.method != "POST":
        return page(request, token, follower)
    sent = posted(request)
    fields = forms.Fields(sent, follower=follower)
    hours = None
    if "rhythm_was" in sent:
        hours = RhythmForm(sent, rhythm=rhythm_of(follower))
    own = None
    if "own" in sent and is_fresh(link, follower):
        own = forms.OwnFields(sent, follower=follower)
    # each is asked, so that all say what is wrong at once
    valid = [form.is_valid() for form in (fields, hours, own) if form]
    if not all(valid):
        return page(request, token, follower, fields=fields, hours=hours, own=own, status=400)
    moved = None
    if own:
        moved = own.moved()
    wishes = None
    if hours:
        wishes = hours.wishes()
    meant = intent.read(sent, matrix(follower))
    saved = choices.save(
        follower=follower,
        words=Words(meant.cells, meant.mutes),
        fields=fields.moved(),
        own=moved,
        wishes=wishes,
        proof=proof(request, follower, SOURCE),
    )
    if not saved.own_kept:
        follower.refresh_from_db()
        return page(request, token, follower, own=own, problem=("own", OWN_UNKEPT), status=400)
    return back(token, "saved", saved.undo, kept=[intent.name_of(key) for key in meant.kept])


@public_page
@require_POST
def pause(request: HttpRequest, token: str) -> HttpResponse:
    """Nothing for a while, or the end of that."""
    follower = follower_of(read_link("preferences", token))
    sent = posted(request)
    try:
        until = forms.Pause(sent).until_when(zone_of(follower), now=timezone.now())
        wishes = Wishes(paused_until=until)
        saved = choices.save(
            follower=follower,
            words=Words(),
            fields={},
            wishes=wishes,
            proof=proof(request, follower, SOURCE),
        )
    except BadFollower:
        return page(request, token, follower, problem=("pause", BAD_PAUSE), status=400)
    return back(token, "saved", saved.undo)


@public_page
@require_POST
def unsubscribe_all(request: HttpRequest, token: str) -> HttpResponse:
    follower = follower_of(read_link("preferences", token))
    # a reason that can't be read must not stop who leaves
    reason = forms.ReasonForm(posted_or_nothing(request)).text()
    saved = choices.save(
        follower=follower,
        words=Words(subscribed=False),
        fields={},
        reason=reason,
        proof=proof(request, follower, SOURCE),
    )
    return back(token, "out", saved.undo)


@public_page
@require_POST
def resubscribe(request: HttpRequest, token: str) -> HttpResponse:
    link = read_link("preferences", token)
    follower = follower_of(link)
    if not is_fresh(link, follower):
        return mail_fresh(request, follower)
    saved = choices.save(
        follower=follower,
        words=Words(subscribed=True),
        fields={},
        proof=proof(request, follower, SOURCE),
    )
    return back(token, "in", saved.undo)


@public_page
@require_POST
def fresh_link(request: HttpRequest, token: str) -> HttpResponse:
    """Mail the link that may also begin messages."""
    return mail_fresh(request, follower_of(read_link("preferences", token)))


@public_page
@require_POST
def undo(request: HttpRequest, token: str) -> HttpResponse:
    follower = follower_of(read_link("preferences", token))
    undone = choices.undo(
        follower=follower,
        token=posted(request).get("undo", ""),
        proof=proof(request, follower, SOURCE),
    )
    if not undone:
        return back(token, "too_late")
    return back(token, "undone")
