from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('followers', '0017_a_way_back_to_an_address'),
    ]

    operations = [
        migrations.AddField(
            model_name='tombstone',
            name='lifted_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
