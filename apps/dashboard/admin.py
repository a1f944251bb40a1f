"""The Django admin for operators: every table plain, the books read-only.

Staff work in the dashboard instead.
"""

from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.db.models import Model
from django.http import HttpRequest

from apps.accounts.models import ApiKey, AuditEntry, User
from apps.accounts.permissions import Capability, may
from apps.campaigns.models import EventOutcome, Occurrence
from apps.followers.models import ConsentRecord
from apps.notifications.models import Delivery, DeliveryEvent, Notification, ProviderAccount, Tally

# Written by one function each, in step with others: an edit here would make the books lie.
BOOKS = {
    AuditEntry,
    ConsentRecord,
    Delivery,
    DeliveryEvent,
    EventOutcome,
    Notification,
    Occurrence,
    Tally,
}


def has_permission(request: HttpRequest) -> bool:
    """Operators: superusers, and administrators that were marked as such (`is_staff`)."""
    user = request.user
    return user.is_active and (
        user.is_superuser or (user.is_staff and may(user, Capability.ADMINISTER))
    )


class ForOperators:
    """Whoever may come in here may do all of it:
    the single permissions of Django's own tables are not used.
    """

    def has_module_permission(self, request: HttpRequest) -> bool:
        return has_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return has_permission(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return has_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return has_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return has_permission(request)


if TYPE_CHECKING:  # Django's classes take no parameters at run time
    _ModelAdmin = admin.ModelAdmin[Model]
    _UserAdmin = UserAdmin[User]
else:
    _ModelAdmin = admin.ModelAdmin
    _UserAdmin = UserAdmin


class Plain(ForOperators, _ModelAdmin):
    show_full_result_count = False  # counting millions for a heading
    list_per_page = 50

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        # a select of a million followers would never load
        self.raw_id_fields = tuple(  # type: ignore[misc]  # known only with the model
            field.name
            for field in self.model._meta.fields + self.model._meta.many_to_many
            if field.is_relation
        )


class ReadOnly(Plain):
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class SecretFree(Plain):
    """Hashes and encrypted settings are nobody's to read or type."""

    exclude = ("hashed", "settings")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class People(ForOperators, _UserAdmin):
    fieldsets = (*(UserAdmin.fieldsets or ()), ("Carillon", {"fields": ("role", "time_zone")}))
    list_display = ("username", "email", "role", "is_active", "is_superuser")


admin.site.has_permission = has_permission  # type: ignore[method-assign]  # the site's own hook
admin.site.site_header = admin.site.site_title = "Carillon tables"

for config in apps.get_app_configs():
    if config.name.startswith("apps."):
        for model in config.get_models():
            if model is User:
                admin.site.register(model, People)
            elif model in BOOKS:
                admin.site.register(model, ReadOnly)
            elif model in {ApiKey, ProviderAccount}:
                admin.site.register(model, SecretFree)
            else:
                admin.site.register(model, Plain)
