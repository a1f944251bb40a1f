"""Campaigns: the list, the four steps of composing, and the page of each one."""

from apps.dashboard.send.campaigns import compose, page, preview

urlpatterns = [*page.urlpatterns, *compose.urlpatterns, *preview.urlpatterns]
