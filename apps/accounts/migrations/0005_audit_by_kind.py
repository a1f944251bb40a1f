from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_longer_names_of_subjects")]

    operations = [
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(fields=["kind", "-id"], name="audit_kind"),
        ),
    ]
