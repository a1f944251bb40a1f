"""The WSGI entry point: `granian --interface wsgi notifications_project.wsgi:application` (gunicorn
works too).
"""

import os
from importlib import import_module

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from apps.lib.network.utf8 import utf8_only
from apps.lib.processes.gc_tuning import settle

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifications_project.settings")
application = utf8_only(get_wsgi_application())
import_module("apps.ops.start.faults").say_faults()
get_resolver().url_patterns  # noqa: B018  # loads all views now, instead of during the first call
settle()
