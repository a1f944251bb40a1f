"""A delivery that is tried again counts once in each bucket; what a claim and the clean-up look for has its index."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("notifications", "0005_decisions")]

    operations = [
        migrations.RemoveConstraint(model_name="use", name="use_once"),
        migrations.AlterField(
            model_name="use",
            name="delivery",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="uses",
                to="notifications.delivery",
            ),
        ),
        migrations.AddIndex(
            model_name="use",
            index=models.Index(fields=["follower", "bucket", "at"], name="use_of_follower"),
        ),
        migrations.AddIndex(model_name="use", index=models.Index(fields=["at"], name="use_by_age")),
        migrations.AddConstraint(
            model_name="use",
            constraint=models.UniqueConstraint(fields=("delivery", "bucket"), name="use_once"),
        ),
    ]
