"""Campaigns: the list, the four steps of composing, and the page of each one."""

from apps.dashboard.send.campaigns import compose, last_look, page, preview

urlpatterns = [
    *page.urlpatterns,
    *compose.urlpatterns,
    *last_look.urlpatterns,
    *preview.urlpatterns,
]
