"""The Django admin for operators: our own tables, to look at only.

What is to be changed is changed in the dashboard, where the rules and the audit log are.
"""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Model
from django.http import HttpRequest

from apps.accounts.permissions import Capability, may
from apps.lib.sql import keyset

# Hashes and encrypted settings are nobody's to read.
SECRET = ("password", "hashed", "settings")


def has_permission(request: HttpRequest) -> bool:
    """Operators: superusers, and administrators that were marked as such (`is_staff`)."""
    user = request.user
    return user.is_active and (
        user.is_superuser or (user.is_staff and may(user, Capability.ADMINISTER))
    )


if TYPE_CHECKING:  # Django's class takes no parameter at run time
    _ModelAdmin = admin.ModelAdmin[Model]
else:
    _ModelAdmin = admin.ModelAdmin


class Pages(Paginator):  # type: ignore[type-arg]  # takes none at run time
    """Pages of a table that may hold millions, of which COUNTED are counted."""

    COUNTED = 10_000

    @cached_property
    def rows(self) -> keyset.Count:
        rows: Any = self.object_list  # the admin gives a query
        return keyset.count(rows, limit=self.COUNTED)

    @property
    def count(self) -> int:
        return self.rows.likely


class ReadOnly(_ModelAdmin):
    """A table that whoever may come in here may look at: the single permissions of Django's own
    tables are not used.
    """

    show_full_result_count = False  # counting millions for a heading
    list_per_page = 50
    list_select_related = True  # what a row calls itself names what it belongs to
    paginator = Pages
    ordering = ("-pk",)  # the tables' own orders would sort millions
    exclude = SECRET

    def has_module_permission(self, request: HttpRequest) -> bool:
        return has_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return has_permission(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


admin.site.has_permission = has_permission  # type: ignore[method-assign]  # the site's own hook
admin.site.site_header = admin.site.site_title = "Carillon tables"

for config in apps.get_app_configs():
    if config.name.startswith("apps."):
        for model in config.get_models():
            admin.site.register(model, ReadOnly)
