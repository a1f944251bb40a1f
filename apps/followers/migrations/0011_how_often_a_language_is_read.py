"""PostgreSQL learns how frequent languages and time zones are in the way in which rules ask for
them, letter case gone: it would take each for one in two hundred.
"""

from typing import Any

from django.db import migrations

NAMES = {"language": "follower_language_any_case", "time_zone": "follower_time_zone_any_case"}


def add(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        for column, name in NAMES.items():
            counted = f"CREATE STATISTICS IF NOT EXISTS {name} ON (upper({column}::text))"
            schema_editor.execute(f"{counted} FROM followers_follower")


def remove(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        for name in NAMES.values():
            schema_editor.execute(f"DROP STATISTICS IF EXISTS {name}")


class Migration(migrations.Migration):
    dependencies = [("followers", "0010_metadata_is_found_by_its_words")]

    operations = [migrations.RunPython(add, remove)]
