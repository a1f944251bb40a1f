from importlib import import_module

from django.apps import AppConfig


class DashboardConfig(AppConfig):
    name = "apps.dashboard"

    def ready(self) -> None:
        import_module("apps.dashboard.admin")  # registers our tables, and no package registers its
