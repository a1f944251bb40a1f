from django.apps import AppConfig


class OpsConfig(AppConfig):
    name = "apps.ops"

    def ready(self) -> None:
        from apps.lib.queue.cluster import after_each_task
        from apps.ops import checks, heartbeat  # noqa: F401  (registers the checks)

        after_each_task(heartbeat.beat)
