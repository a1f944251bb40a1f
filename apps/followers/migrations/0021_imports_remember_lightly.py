"""The line of each row of an import has one index beside its own, and one key less."""

from django.db import migrations, models
from django.db.models.deletion import CASCADE, DO_NOTHING


class Migration(migrations.Migration):
    dependencies = [("followers", "0020_soft_bounces")]

    operations = [
        migrations.RemoveConstraint(
            model_name="importedfollower", name="imported_follower_once_per_file"
        ),
        migrations.AlterField(
            model_name="importedfollower",
            name="follower",
            field=models.ForeignKey(
                db_index=False,
                on_delete=CASCADE,
                related_name="imported",
                to="followers.follower",
            ),
        ),
        migrations.AlterField(
            model_name="importedfollower",
            name="job",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=DO_NOTHING,
                related_name="imported",
                to="followers.import",
            ),
        ),
        migrations.AddConstraint(
            model_name="importedfollower",
            constraint=models.UniqueConstraint(
                fields=("follower", "job"), name="imported_follower_once_per_file"
            ),
        ),
    ]
