"""The WSGI entry point: `granian --interface wsgi notifications_project.wsgi:application` (gunicorn works too)."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifications_project.settings")
application = get_wsgi_application()
