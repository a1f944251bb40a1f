"""Divide the sender of an email account, `Name <address>` so far, into a name and an address."""

import re

from django.db import migrations

from apps.lib import crypto


def apart(text):
    """The name and the address of a text that holds both, or the address alone."""
    text = text.strip()
    if not text.endswith(">") or "<" not in text:
        return "", text
    name, _, address = text[:-1].rpartition("<")
    name = name.strip()
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    return name, address.strip()


def divide(apps, schema_editor):
    accounts = apps.get_model("notifications", "ProviderAccount").objects
    for account in accounts.filter(channel="email"):
        try:
            settings = crypto.decrypt(account.settings)
        except crypto.Undecryptable:  # nobody can use it either
            continue
        if "sender" not in settings:
            continue
        name, address = apart(settings.pop("sender"))
        settings |= {"from_name": name, "from_address": address}
        account.settings = crypto.encrypt(settings)
        account.save(update_fields=["settings"])


class Migration(migrations.Migration):
    dependencies = [("notifications", "0002_refusals_and_brake")]

    operations = [migrations.RunPython(divide, migrations.RunPython.noop)]
