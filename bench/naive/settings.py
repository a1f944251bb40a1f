"""What a small Django site has in its settings.

CONN_MAX_AGE is Django's default, 0, unless the environment differs.
"""

import os
from pathlib import Path

from environ import Env

SECRET_KEY = "bench-" * 10
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["django.contrib.contenttypes", "django_q", "post_office", "bench.naive.letters"]
DATABASES = {
    "default": Env.db_url_config(os.environ["LETTERS_URL"])
    | {"CONN_MAX_AGE": int(os.environ.get("CONN_MAX_AGE", "0"))}
}
# templates from files are kept compiled when DEBUG is off
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(os.environ["LETTERS_TEMPLATES"])],
        "APP_DIRS": True,
    }
]
Q_CLUSTER = {
    "name": "letters",
    "orm": "default",
}  # a worker for each core, like all else as it comes
EMAIL_HOST = "127.0.0.1"
EMAIL_PORT = int(os.environ["EMAIL_PORT"])
DEFAULT_FROM_EMAIL = "News <news@news.example.org>"
# Its own multiprocess queue at its best:
# batches that keep each process's threads and connections busy.
POST_OFFICE = {
    "BATCH_SIZE": 5000,
    "THREADS_PER_PROCESS": 5,
    "LOG_LEVEL": 0,
    "DEFAULT_PRIORITY": "medium",
}
LOGGING = {"version": 1, "disable_existing_loggers": True, "root": {"level": "ERROR"}}
