"""Readers, and a letter to each."""

from django.db import models


class Reader(models.Model):
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=200)
    metadata = models.JSONField(default=dict)


class Letter(models.Model):
    reader = models.ForeignKey(Reader, on_delete=models.CASCADE)
    sent_at = models.DateTimeField(null=True)
