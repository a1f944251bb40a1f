"""Addresses of the API: version 1, its schema, and the page to try it on."""

from django.urls import include, path, re_path

from apps.api.document.whole import Document, try_it
from apps.api.endpoint import Unrouted

app_name = "api"
urlpatterns = [
    path("v1/", include("apps.api.v1.urls")),
    path("schema/", Document.as_view(), name="schema"),
    path("docs/", try_it, name="docs"),
    re_path(r"[\s\S]*\Z", Unrouted.as_view()),  # a line break in an address, too
]
