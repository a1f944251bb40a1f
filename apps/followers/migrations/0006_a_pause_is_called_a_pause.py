from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("followers", "0005_links_and_lists")]

    operations = [
        migrations.RenameField(
            model_name="rhythm", old_name="snoozed_until", new_name="paused_until"
        ),
    ]
