"""Addresses of the staff pages: each section's module lists its own."""

from django.urls import URLPattern

from apps.dashboard import (
    audit,
    auth,
    campaigns,
    caps,
    channels,
    content,
    deliveries,
    followers,
    home,
    imports,
    keys,
    layouts,
    notifications,
    preview,
    segments,
    staff,
    suppressions,
    tags,
    types,
    undelivered,
)

app_name = "dashboard"
urlpatterns: list[URLPattern] = [
    *home.urlpatterns,
    *auth.urlpatterns,
    *campaigns.urlpatterns,
    *followers.urlpatterns,
    *imports.urlpatterns,
    *tags.urlpatterns,
    *segments.urlpatterns,
    *content.urlpatterns,
    *layouts.urlpatterns,
    *preview.urlpatterns,
    *types.urlpatterns,
    *caps.urlpatterns,
    *notifications.urlpatterns,
    *deliveries.urlpatterns,
    *undelivered.urlpatterns,
    *suppressions.urlpatterns,
    *audit.urlpatterns,
    *channels.urlpatterns,
    *staff.urlpatterns,
    *keys.urlpatterns,
]
