"""What would happen to a message for one follower: a question to the rules, nothing is sent."""

import datetime as dt
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
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
    Act.SEND: pgettext_lazy("the message", "Goes"),
    Act.SKIP: pgettext_lazy("the message", "Does not go"),
    Act.WAIT: pgettext_lazy("the message", "Waits"),
    Act.HOLD: pgettext_lazy("the message", "Waits for a digest"),
}


class QuestionForm(forms.Form):
    type = TypeField()
    channel = forms.ChoiceField(label=_("Channel"), choices=Channel)
    at = WallField(required=False, label=_("When"))
    throttle_key = forms.CharField(
        label=_("Throttle key"),
        required=False,
        max_length=120,
        help_text=_("What the type's throttle counts apart, if API clients name one."),
    )

    def __init__(self, *args: Any, follower: Follower, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._zone = zone_of(follower)
        said = gettext("By the clock of {zone}. Empty: now.")
        self.fields["at"].help_text = said.format(zone=self._zone.key)

    def clean_at(self) -> dt.datetime:
        wall: dt.datetime | None = self.cleaned_data["at"]
        now = timezone.now()
        if wall and abs(wall.year - now.year) > FARTHEST_YEARS:
            said = ngettext(
                "Choose a time within {count} year.",
                "Choose a time within {count} years.",
                FARTHEST_YEARS,
            )
            raise forms.ValidationError(said.format(count=FARTHEST_YEARS))
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
        label = str(LABELS[said.decision.act])
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
