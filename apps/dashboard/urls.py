"""Addresses of the staff pages: each section's module lists its own."""

from django.urls import URLPattern

from apps.dashboard import (
    audit,
    auth,
    campaigns,
    channels,
    content,
    deliveries,
    home,
    layouts,
    notifications,
    preview,
    segments,
    suppressions,
    types,
)

app_name = "dashboard"
urlpatterns: list[URLPattern] = [
    *home.urlpatterns,
    *auth.urlpatterns,
    *campaigns.urlpatterns,
    *segments.urlpatterns,
    *content.urlpatterns,
    *layouts.urlpatterns,
    *preview.urlpatterns,
    *types.urlpatterns,
    *notifications.urlpatterns,
    *deliveries.urlpatterns,
    *suppressions.urlpatterns,
    *audit.urlpatterns,
    *channels.urlpatterns,
]
