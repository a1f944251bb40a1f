import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.utils import timezone


def revoke_orphans(apps, schema_editor):
    """Revoke the keys of people who were deleted: without a maker they looked as if a command had
    issued them, and had all their scopes again.
    """
    keys = apps.get_model("accounts", "ApiKey").objects
    entries = apps.get_model("accounts", "AuditEntry").objects
    of_staff = entries.filter(kind="api_key.created", actor_kind="staff")
    for key in keys.filter(created_by=None, revoked_at=None):
        if of_staff.filter(subject_type="api_key", subject_id=str(key.uid)).exists():
            keys.filter(pk=key.pk).update(revoked_at=timezone.now())


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    operations = [
        migrations.RunPython(revoke_orphans, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="apikey",
            name="created_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="api_keys",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
    ]
