from typing import Any

from django.db import migrations, models

import apps.lib.sql.folding
from apps.followers.people.trigrams import ensure_trigrams
from apps.lib.sql.folding import sql_of_rule


def make_rule(apps_then: Any, schema_editor: Any) -> None:
    """Let PostgreSQL know by which rule spellings are the same; SQLite calls ours."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(sql_of_rule("carillon_found_by"), params=None)


def index_trigrams(apps_then: Any, schema_editor: Any) -> None:
    """Make the indexes of searches, where the extension may be had."""
    ensure_trigrams()


class Migration(migrations.Migration):
    dependencies = [("followers", "0011_how_often_a_language_is_read")]

    operations = [
        migrations.RunPython(make_rule, migrations.RunPython.noop),
        migrations.AddField(
            model_name="follower",
            name="folded",
            field=models.GeneratedField(
                db_persist=True,
                expression=apps.lib.sql.folding.FoundBy("name", "external_id"),
                output_field=models.TextField(),
            ),
        ),
        migrations.AddIndex(
            model_name="follower",
            index=models.Index(fields=["language"], name="follower_language"),
        ),
        migrations.RunPython(index_trigrams, migrations.RunPython.noop),
    ]
