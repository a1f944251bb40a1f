"""Custom fields: what a site wants to know of its followers, defined once."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import pgettext_lazy

from apps.lib.facts import Subject


class FieldKind(models.TextChoices):
    TEXT = "text", pgettext_lazy("kind of field", "Text")
    NUMBER = "number", pgettext_lazy("kind of field", "Number")
    BOOLEAN = "boolean", pgettext_lazy("kind of field", "Yes or no")
    DATE = "date", pgettext_lazy("kind of field", "Date")
    CHOICE = "choice", pgettext_lazy("kind of field", "One of a list")
    CHOICES = "choices", pgettext_lazy("kind of field", "Several of a list")


# Kinds whose values are named beforehand.
OF_A_LIST = (FieldKind.CHOICE, FieldKind.CHOICES)


class CustomField(models.Model):
    """What a key of the followers' metadata means: the values stay in the metadata.

    `labels` by language: {"en": "Plan", "ru": "Тариф"}; `options` of a list:
    [{"value": "pro", "labels": {"en": "Professional"}}, ...].
    """

    key = models.CharField(max_length=60)
    kind = models.CharField(max_length=10, choices=FieldKind)
    labels = models.JSONField(default=dict)
    options = models.JSONField(default=list, blank=True)
    searchable = models.BooleanField(default=False)  # the search for followers looks at it
    public = models.BooleanField(default=False)  # followers see and change it
    position = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            # a heading of a file names one field, however it is written; finds a field by its key
            models.UniqueConstraint(Lower("key"), name="field_key_any_case"),
            models.CheckConstraint(
                condition=Q(kind__in=["choice", "choices"]) | Q(options=[]),
                name="field_options_of_a_list",
            ),
        ]

    def __str__(self) -> str:
        return in_language(self.labels, settings.LANGUAGE_CODE) or self.key

    @property
    def fact_subject(self) -> Subject:
        return Subject("custom_field", self.key, str(self))

    @property
    def values(self) -> list[str]:
        """The values of a list, in its order."""
        return [option["value"] for option in self.options]

    def label(self, language: str) -> str:
        return in_language(self.labels, language) or self.key

    def choices(self, language: str) -> list[tuple[str, str]]:
        """The values of a list, each with its label."""
        return [
            (option["value"], in_language(option["labels"], language) or option["value"])
            for option in self.options
        ]

    def shown(self, value: Any, language: str) -> Any:
        """Give a value as people read it: the labels of what is of a list."""
        labels = dict(self.choices(language))
        if isinstance(value, list):
            return ", ".join(labels.get(each, str(each)) for each in value)
        if isinstance(value, str):
            return labels.get(value, value)
        return value


def in_language(labels: Mapping[str, str], language: str) -> str:
    """Take the label in the language (for pt-BR, then in pt), else in the site's, else any."""
    for tag in (language, language.partition("-")[0], settings.LANGUAGE_CODE):
        if said := labels.get(tag):
            return said
    return next(iter(labels.values()), "")
