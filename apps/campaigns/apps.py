from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    name = "apps.campaigns"

    def ready(self) -> None:
        from apps.campaigns.audience import segments
        from apps.campaigns.events import rules
        from apps.campaigns.recurring import edit

        segments.ask_for_uses(rules.uses_of)
        segments.ask_for_uses(edit.uses_of)
