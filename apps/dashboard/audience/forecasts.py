"""What would happen to a message for one follower: a question to the rules, nothing is sent."""

import datetime as dt
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.accounts.permissions import Capability, requires
from apps.dashboard.send.campaigns.forms import WallField
from apps.dashboard.shell.forms import TypeField
from apps.followers.consent.rhythm import zone_of
from apps.followers.models import Channel, Follower
from apps.lib.wallclock import instant
from apps.notifications.decide.decision import Act
from apps.notifications.forecast import Forecast, forecast
from apps.notifications.notify import FARTHEST_YEARS

TONES = {Act.SEND: "sent", Act.SKIP: "skipped", Act.WAIT: "waiting", Act.HOLD: "waiting"}
LABELS = {
    Act.SEND: "Goes",
    Act.SKIP: "Does not go",
    Act.WAIT: "Waits",
    Act.HOLD: "Waits for a digest",
}


class QuestionForm(forms.Form):
    type = TypeField()
    channel = forms.ChoiceField(choices=Channel)
    at = WallField(required=False, label="When", help_text="Empty: now.")
    throttle_key = forms.CharField(
        required=False,
        max_length=120,
        help_text="What the type's throttle counts apart, if programs name one.",
    )

    def __init__(self, *args: Any, follower: Follower, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._zone = zone_of(follower)
        self.fields["at"].help_text = f"By the clock of {self._zone.key}. Empty: now."

    def clean_at(self) -> dt.datetime:
        wall: dt.datetime | None = self.cleaned_data["at"]
        now = timezone.now()
        if wall and abs(wall.year - now.year) > FARTHEST_YEARS:
            raise forms.ValidationError(f"Choose a time within {FARTHEST_YEARS} years.")
        if wall:
            return instant(wall, self._zone)
        return now


@requires(Capability.VIEW)
@require_safe
def page(request: HttpRequest, uid: UUID) -> HttpResponse:
    follower = get_object_or_404(Follower, uid=uid)
    typed = None
    if "type" in request.GET:
        typed = request.GET
    form = QuestionForm(typed, follower=follower)
    said: Forecast | None = None
    if form.is_valid():
        asked = form.cleaned_data
        said = forecast(
            follower=follower,
            notification_type=asked["type"],
            channel=asked["channel"],
            at=asked["at"],
            throttle_key=asked["throttle_key"],
        )
    tone = ""
    label = ""
    if said:
        tone = TONES[said.decision.act]
        label = LABELS[said.decision.act]
    planned = None
    if said and said.planned_at:
        planned = said.planned_at.astimezone(zone_of(follower))
    zone = zone_of(follower)
    context = {
        "follower": follower,
        "form": form,
        "said": said,
        "tone": tone,
        "label": label,
        "zone": zone.key,
        "planned": planned,
    }
    return render(request, "dashboard/audience/forecasts/page.html", context)


urlpatterns = [path("followers/<uuid:uid>/forecast/", page, name="follower-forecast")]
