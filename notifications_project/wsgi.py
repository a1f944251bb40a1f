"""The WSGI entry point: `granian --interface wsgi notifications_project.wsgi:application` (gunicorn
works too).
"""

import os
from importlib import import_module

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from apps.lib.network.in_turn import in_turn
from apps.lib.network.turns import Turns
from apps.lib.network.utf8 import utf8_only
from apps.lib.processes.gc_tuning import settle

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifications_project.settings")
_django = utf8_only(get_wsgi_application())
application = in_turn(
    _django,
    turns=Turns(places=settings.REQUESTS_AT_ONCE, room=settings.REQUESTS_WAITING),
    door=import_module("apps.api.overload.door").ApiDoor(),
)
import_module("apps.ops.start.faults").say_faults()
get_resolver().url_patterns  # noqa: B018  # loads all views now, instead of during the first call
settle()
