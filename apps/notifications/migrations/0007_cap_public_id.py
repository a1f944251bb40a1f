from django.db import migrations, models

import apps.lib.ids


class Migration(migrations.Migration):
    """Caps came with 0005, in the same release: there are none yet that would need ids of their own."""

    dependencies = [
        ("notifications", "0006_uses"),
    ]

    operations = [
        migrations.AddField(
            model_name="cap",
            name="uid",
            field=models.UUIDField(default=apps.lib.ids.uuid7, editable=False, unique=True),
        ),
    ]
