"""Followers: the list, the page of each one, and what is done from there."""

from apps.dashboard.audience.followers import acts, form, listed, page

urlpatterns = [
    *listed.urlpatterns,
    *page.urlpatterns,
    *acts.urlpatterns,
    *form.urlpatterns,
]
