from django.db import migrations
from django.utils import timezone


def fill(apps, schema_editor):
    """Each webhook that is there gets its row; one that had answered 410 is switched off with that reason."""
    Address, Webhook = apps.get_model("followers", "Address"), apps.get_model("followers", "Webhook")
    gone, now = {"off_at": timezone.now(), "off_reason": "gone"}, []
    for address in Address.objects.filter(channel="webhook").only("pk", "state").iterator():
        now.append(Webhook(address_id=address.pk, **(gone if address.state == "gone" else {})))
    Webhook.objects.bulk_create(now, batch_size=1000)
    Address.objects.filter(channel="webhook", state="gone").update(state="off")


def empty(apps, schema_editor):
    """What is switched off was never called again before: as if it had answered 410."""
    apps.get_model("followers", "Address").objects.filter(state="off").update(state="gone")


class Migration(migrations.Migration):
    dependencies = [
        ("followers", "0006_webhook_calls"),
    ]

    operations = [migrations.RunPython(fill, empty)]
