"""Addresses of this face."""

from django.urls import path

from apps.ops import health
from apps.ops.mailbox import views as mailbox

app_name = "ops"
urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("health/", health.card, name="health"),
    path("health/read/", health.read, name="health-read"),
    path("mailbox/", mailbox.index, name="mailbox"),
    path("mailbox/<str:id>/", mailbox.message, name="mailbox-message"),
    path("mailbox/<str:id>/html/", mailbox.html, name="mailbox-html"),
    path("mailbox/<str:id>/source/", mailbox.source, name="mailbox-source"),
]
