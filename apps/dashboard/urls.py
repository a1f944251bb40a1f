"""Addresses of the staff pages: each section's module lists its own."""

from django.urls import URLPattern

from apps.dashboard.administer import (
    api_keys,
    auth,
    bounce_mailbox,
    channels,
    doctor,
    retention,
    staff,
)
from apps.dashboard.audience import (
    data_copies,
    erase,
    export_schedules,
    exports,
    fields,
    followers,
    forecasts,
    imports,
    merge,
    segments,
    sign_up_forms,
    suppressions,
    tags,
    webhooks,
)
from apps.dashboard.content import caps, layouts, message_types, preview, templates
from apps.dashboard.operate import audit
from apps.dashboard.send import (
    campaigns,
    deliveries,
    event_rules,
    events,
    notifications,
    recurring,
    results,
    undelivered,
)
from apps.dashboard.shell import find_anything, handbook, home

app_name = "dashboard"
urlpatterns: list[URLPattern] = [
    *home.urlpatterns,
    *find_anything.urlpatterns,
    *handbook.urlpatterns,
    *auth.urlpatterns,
    *campaigns.urlpatterns,
    *followers.urlpatterns,
    *erase.urlpatterns,
    *data_copies.urlpatterns,
    *merge.urlpatterns,
    *forecasts.urlpatterns,
    *imports.urlpatterns,
    *export_schedules.urlpatterns,
    *exports.urlpatterns,
    *tags.urlpatterns,
    *fields.urlpatterns,
    *segments.urlpatterns,
    *sign_up_forms.urlpatterns,
    *templates.urlpatterns,
    *layouts.urlpatterns,
    *preview.urlpatterns,
    *message_types.urlpatterns,
    *caps.urlpatterns,
    *notifications.urlpatterns,
    *deliveries.urlpatterns,
    *undelivered.urlpatterns,
    *results.urlpatterns,
    *recurring.urlpatterns,
    *events.urlpatterns,
    *event_rules.urlpatterns,
    *suppressions.urlpatterns,
    *webhooks.urlpatterns,
    *audit.urlpatterns,
    *channels.urlpatterns,
    *doctor.urlpatterns,
    *bounce_mailbox.urlpatterns,
    *staff.urlpatterns,
    *api_keys.urlpatterns,
    *retention.urlpatterns,
]
