from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("notifications", "0004_account_off_until_tested")]

    operations = [
        migrations.RenameField(model_name="notification", old_name="tracked", new_name="tracking"),
        migrations.AddField(
            model_name="notification",
            name="addressed_only",
            field=models.BooleanField(default=False),
        ),
    ]
