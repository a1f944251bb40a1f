"""The first page: what is going out now, what waits, how it went, and who is new."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_safe

from apps.accounts.permissions import Capability, requires


@require_safe
@requires(Capability.VIEW)
def home(request: HttpRequest) -> HttpResponse:
    return render(request, "dashboard/home/home.html", {})


urlpatterns = [path("", home, name="home")]
