"""Two sends side by side."""

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_safe

from apps.accounts.permissions import Capability, requires
from apps.analytics.results.funnel import funnel_of
from apps.campaigns.models import Run
from apps.dashboard.send.results.steps import Step, funnel_steps, losses
from apps.lib.ids import row_with
from apps.notifications.models import Notification

OFFERED = 100  # the newest campaigns that were sent


@dataclass(frozen=True, slots=True)
class Pair:
    """A number of both; `apart` is how many points of a per cent the first has more, if both have
    a share.
    """

    first: Step
    second: Step

    @property
    def apart(self) -> float | None:
        if self.first.whole and self.second.whole:
            return self.first.share - self.second.share
        return None


@requires(Capability.VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    runs = Run.objects.select_related("campaign", "notification")
    offered = list(runs.order_by("-notification")[:OFFERED])
    chosen = [_run(request.GET.get(name, "")) for name in ("first", "second")]
    first, second = chosen
    pairs = []
    if first and second:
        pairs = _pairs(first.notification, second.notification)
    context = {"offered": offered, "first": first, "second": second, "pairs": pairs}
    return render(request, "dashboard/send/results/compare.html", context)


def _run(text: str) -> Run | None:
    """The run whose notification is named."""
    notification = row_with(Notification.objects.all(), text)
    if notification is None:
        return None
    found = Run.objects.filter(notification=notification)
    return found.select_related("campaign", "notification").first()


def _pairs(first: Notification, second: Notification) -> list[Pair]:
    """Numbers that both have, in the order of a funnel."""
    one = _steps(first)
    other = _steps(second)
    return [Pair(one[key], other[key]) for key in one if key in other]


def _steps(notification: Notification) -> dict[str, Step]:
    funnel = funnel_of(Notification.objects.filter(pk=notification.pk))
    base = {"notification": str(notification.uid)}
    lines = [*funnel_steps(funnel, base, None), *losses(funnel, base, None)]
    return {step.key: step for step in lines}


urlpatterns = [path("results/compare/", index, name="results-compare")]
