from django.apps import AppConfig
from django.db.models import BigAutoField

from apps.lib.sql.in_array import Among


class LibConfig(AppConfig):
    """No tables: an app so that lookups are registered once, before any query is made."""

    name = "apps.lib"

    def ready(self) -> None:
        BigAutoField.register_lookup(Among)
