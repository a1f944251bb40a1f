"""Addresses of the API: version 1, its schema, and the page to try it on."""

from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView

from apps.api.docs import TryIt
from apps.api.endpoint import Unrouted

app_name = "api"
urlpatterns = [
    path("v1/", include("apps.api.v1.urls")),
    path(
        "schema/",
        SpectacularAPIView.as_view(authentication_classes=[], throttle_classes=[]),
        name="schema",
    ),
    path("docs/", TryIt.as_view(), name="docs"),
    re_path(r"[\s\S]*\Z", Unrouted.as_view()),  # a line break in an address, too
]
