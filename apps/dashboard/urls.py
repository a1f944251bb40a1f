"""Addresses of the staff pages: each section's module lists its own."""

from django.urls import URLPattern

from apps.dashboard import auth, home

app_name = "dashboard"
urlpatterns: list[URLPattern] = [
    *home.urlpatterns,
    *auth.urlpatterns,
]
