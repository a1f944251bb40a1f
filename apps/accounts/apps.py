from importlib import import_module

from django.apps import AppConfig
from django.contrib.auth.signals import user_login_failed


class AccountsConfig(AppConfig):
    name = "apps.accounts"

    def ready(self) -> None:
        log_in = import_module("apps.accounts.log_in")  # brings models with it
        user_login_failed.connect(log_in.failed)
