"""The site's addresses, one include per face."""

from django.contrib import admin
from django.urls import include, path, re_path

from apps.subscriptions.tracking import refused

urlpatterns = [
    path(
        "api/", include("apps.api.urls")
    ),  # first: a program that calls a hundred times a second waits for no other
    path("", include("apps.api.first.urls")),  # without a slash at the end; pages have one
    path("", include("apps.dashboard.urls")),
    path("", include("apps.ops.urls")),
    re_path(
        r"^[co]/", refused
    ),  # what the middleware of apps/subscriptions/tracking.py did not answer
    path("p/", include("apps.subscriptions.urls")),
    path("admin/", admin.site.urls),
]
