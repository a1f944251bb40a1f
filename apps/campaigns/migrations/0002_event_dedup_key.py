from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0001_initial")]

    operations = [
        migrations.RemoveConstraint(model_name="event", name="event_happened_once"),
        migrations.RenameField(model_name="event", old_name="dedup_id", new_name="dedup_key"),
        migrations.AddConstraint(
            model_name="event",
            constraint=models.UniqueConstraint(
                condition=models.Q(("dedup_key__isnull", False)),
                fields=("name", "dedup_key"),
                name="event_happened_once",
            ),
        ),
    ]
