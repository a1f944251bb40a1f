"""Addresses of this face."""

from django.urls import URLPattern

app_name = "dashboard"
urlpatterns: list[URLPattern] = []
