"""The site's addresses, one include per face."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from apps.api.endpoint import Unrouted
from apps.subscriptions.tracking import refused

urlpatterns = [
    path(
        "api/", include("apps.api.urls")
    ),  # first: a program that calls a hundred times a second waits for no other
    path("", include("apps.api.first.urls")),  # without a slash at the end; pages have one
    path("api", Unrouted.as_view()),  # else it would be led to a page that is not there
    path("", include("apps.dashboard.urls")),
    path("", include("apps.ops.urls")),
    re_path(
        r"^[co]/", refused
    ),  # what the middleware of apps/subscriptions/tracking.py did not answer
    path("p/", include("apps.subscriptions.urls")),
    # there is one door, and one page that changes a password and tells the audit log
    path("admin/login/", RedirectView.as_view(pattern_name="dashboard:login", query_string=True)),
    path("admin/password_change/", RedirectView.as_view(pattern_name="dashboard:password-change")),
    path("admin/", admin.site.urls),
]
