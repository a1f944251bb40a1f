from typing import Any

from django.db import migrations, models

import apps.lib.ids


def give_ids(apps_then: Any, schema_editor: Any) -> None:
    """Give each entry that is there an id of its own, in one statement."""
    suppressions = apps_then.get_model("followers", "Suppression").objects
    suppressions.using(schema_editor.connection.alias).update(uid=apps.lib.ids.Uuid7())


class Migration(migrations.Migration):
    dependencies = [("followers", "0003_follower_has_first_and_last_name")]

    operations = [
        migrations.AddField(
            model_name="suppression",
            name="uid",
            field=models.UUIDField(editable=False, null=True),
        ),
        migrations.RunPython(give_ids, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="suppression",
            name="uid",
            field=models.UUIDField(default=apps.lib.ids.uuid7, editable=False, unique=True),
        ),
    ]
