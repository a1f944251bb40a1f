"""The site's addresses, one include per face."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("apps.dashboard.urls")),
    path("", include("apps.ops.urls")),
    path("p/", include("apps.subscriptions.urls")),
    path("api/", include("apps.api.urls")),
    path("admin/", admin.site.urls),
]
