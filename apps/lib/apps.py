from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.db.models import BigAutoField, CharField

from apps.lib.processes import slow_statements
from apps.lib.sql import folding
from apps.lib.sql.in_array import Among, AmongTexts
from apps.lib.sql.letter_case import teach_sqlite
from apps.lib.sql.quiet_connection import spare_questions


class LibConfig(AppConfig):
    """No tables: an app so that lookups are registered once, before any query is made."""

    name = "apps.lib"

    def ready(self) -> None:
        BigAutoField.register_lookup(Among)
        CharField.register_lookup(AmongTexts)
        spare_questions()
        connection_created.connect(slow_statements.watch, dispatch_uid="carillon-slow")
        connection_created.connect(folding.teach_sqlite, dispatch_uid="carillon-folding")
        connection_created.connect(teach_sqlite, dispatch_uid="carillon-like")
