"""Slices; and deliveries that PostgreSQL updates in place: no index names their status any more.

The new column is computed, so the table is written anew, with the room that its rows need; that
takes a minute for each ten million. Senders are stopped while this goes on (docs/operate.md).
"""

import django.db.models.deletion
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def _leave_room(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Leave half of each page free: a slice is claimed, and so updated, page by page."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE notifications_delivery SET (fillfactor = 50)")


class Migration(migrations.Migration):
    dependencies = [
        ("followers", "0018_a_word_outlives_its_mark"),
        ("notifications", "0014_results"),
    ]

    operations = [
        migrations.CreateModel(
            name="Slice",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "channel",
                    models.CharField(
                        choices=[
                            ("email", "Email"),
                            ("sms", "SMS"),
                            ("push", "Mobile push"),
                            ("web_push", "Web push"),
                            ("in_app", "In-app"),
                            ("webhook", "Webhook"),
                            ("voice", "Voice call"),
                        ],
                        max_length=10,
                    ),
                ),
                ("first", models.BigIntegerField()),
                ("last", models.BigIntegerField()),
                ("owner", models.CharField(blank=True, max_length=64)),
                ("until", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.AddField(
            model_name="slice",
            name="notification",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="slices",
                to="notifications.notification",
            ),
        ),
        migrations.RemoveIndex(
            model_name="delivery",
            name="delivery_due",
        ),
        migrations.RemoveIndex(
            model_name="delivery",
            name="delivery_held",
        ),
        migrations.RemoveIndex(
            model_name="delivery",
            name="delivery_leased",
        ),
        migrations.RemoveIndex(
            model_name="delivery",
            name="delivery_by_status",
        ),
        migrations.RemoveIndex(
            model_name="delivery",
            name="delivery_failed",
        ),
        migrations.RemoveIndex(
            model_name="delivery",
            name="delivery_in_doubt",
        ),
        migrations.RunPython(_leave_room, migrations.RunPython.noop),
        migrations.AddField(
            model_name="delivery",
            name="in_slice",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="delivery",
            name="shelf",
            field=models.GeneratedField(
                db_persist=True,
                expression=models.Case(
                    models.When(status="held", then=models.Value(3)),
                    models.When(status="failed", then=models.Value(4)),
                    models.When(status="skipped", then=models.Value(6)),
                    models.When(status="cancelled", then=models.Value(7)),
                    models.When(status="in_doubt", then=models.Value(5)),
                    models.When(in_slice=False, status="pending", then=models.Value(1)),
                    models.When(in_slice=False, status="queued", then=models.Value(2)),
                    default=models.Value(0),
                ),
                output_field=models.PositiveSmallIntegerField(),
            ),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("shelf", 1)),
                fields=["notification", "channel", "due_at", "id"],
                name="delivery_due",
            ),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("shelf", 3)), fields=["due_at", "id"], name="delivery_held"
            ),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("shelf", 2)), fields=["lease_until"], name="delivery_leased"
            ),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("shelf__gt", 0)),
                fields=["notification", "shelf", "-id"],
                name="delivery_on_shelf",
            ),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("shelf", 4)), fields=["-id"], name="delivery_failed"
            ),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("shelf", 5)), fields=["-id"], name="delivery_in_doubt"
            ),
        ),
        migrations.AddIndex(
            model_name="slice",
            index=models.Index(
                condition=models.Q(("owner", ""), _negated=True),
                fields=["owner"],
                name="slice_owned",
            ),
        ),
        migrations.AddConstraint(
            model_name="slice",
            constraint=models.UniqueConstraint(
                fields=("notification", "channel", "first"), name="slice_begins_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="slice",
            constraint=models.CheckConstraint(
                condition=models.Q(("last__gte", models.F("first"))), name="slice_has_an_end"
            ),
        ),
        migrations.AddConstraint(
            model_name="slice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("owner", ""), ("until", None)),
                    models.Q(models.Q(("owner", ""), _negated=True), ("until__isnull", False)),
                    _connector="OR",
                ),
                name="slice_owned_for_a_time",
            ),
        ),
    ]
