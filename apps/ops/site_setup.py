"""What every site needs before its first message: message types, the stock templates,
and the ways out.
"""

import datetime as dt
from dataclasses import dataclass, replace

from django.conf import settings
from django.db import transaction

from apps.content import stock
from apps.content.models import Template
from apps.followers.models import Category, Channel, NotificationType
from apps.lib.actor import Actor
from apps.notifications.accounts.edit import ensure_default_accounts
from apps.notifications.types.edit import TypeValues, create_type

BOTH = (Channel.EMAIL, Channel.IN_APP)
PUSHED = (*BOTH, Channel.PUSH, Channel.WEB_PUSH)
TEXTED = (*BOTH, Channel.SMS, Channel.PUSH, Channel.WEB_PUSH)
DAY = 24 * 3600  # seconds
CONFIRMS = "confirm_address"  # the type that goes to addresses which are not confirmed yet

# key: (the template that speaks for it, what it is). A text costs money and wakes people: only what
# is critical goes there unasked. A device or a webhook is there because somebody registered it, so
# that it is on says what they expect.
TYPES: dict[str, tuple[str, TypeValues]] = {
    "security_alert": (
        "account_security_alert",
        TypeValues(
            name="Security alerts",
            description=(
                "New devices, changed passwords. Can't be switched off: it keeps your account safe."
            ),
            category=Category.CRITICAL,
            channels=TEXTED,
            default_channels=TEXTED,
            lifetime=DAY,
            position=10,
            translations={
                "ru": {
                    "name": "Безопасность",
                    "description": (
                        "Вход с нового устройства, смена пароля. Отключить нельзя: это защита"
                        " аккаунта."
                    ),
                }
            },
        ),
    ),
    "code": (
        "otp_code",
        TypeValues(
            name="One-time codes",
            description=(
                "For signing in and confirming. Can't be switched off: you asked for the code."
            ),
            category=Category.CRITICAL,
            channels=(Channel.EMAIL, Channel.SMS),
            default_channels=(Channel.EMAIL, Channel.SMS),
            lifetime=600,
            position=15,
            translations={
                "ru": {
                    "name": "Одноразовые коды",
                    "description": (
                        "Для входа и подтверждения. Отключить нельзя: код вы запросили сами."
                    ),
                }
            },
        ),
    ),
    "transactional": (
        "order_confirmation",
        TypeValues(
            name="Orders and payments",
            description="Confirmations, receipts, shipping: answers to what you did yourself.",
            channels=(*TEXTED, Channel.WEBHOOK),
            default_channels=(*PUSHED, Channel.WEBHOOK),
            position=20,
            translations={
                "ru": {
                    "name": "Заказы и платежи",
                    "description": (
                        "Подтверждения, чеки, доставка: ответы на ваши собственные действия."
                    ),
                }
            },
        ),
    ),
    "alert": (
        "planned_maintenance",
        TypeValues(
            name="Service alerts",
            description="Interruptions, planned maintenance, and things that need your action.",
            category=Category.ACTION_REQUIRED,
            channels=(*TEXTED, Channel.WEBHOOK),
            default_channels=(*PUSHED, Channel.WEBHOOK),
            position=30,
            translations={
                "ru": {
                    "name": "Работа сервиса",
                    "description": "Перебои, плановые работы и то, что требует ваших действий.",
                }
            },
        ),
    ),
    "reminder": (
        "profile_reminder",
        TypeValues(
            name="Reminders",
            description="Dates and tasks you may not want to forget.",
            channels=TEXTED,
            default_channels=PUSHED,
            digest=True,
            position=40,
            translations={
                "ru": {
                    "name": "Напоминания",
                    "description": "Сроки и дела, о которых не хочется забыть.",
                }
            },
        ),
    ),
    "welcome": (
        "welcome",
        TypeValues(
            name="Welcome",
            description="The first steps after you have joined.",
            channels=BOTH,
            default_channels=BOTH,
            position=50,
            listed=False,
            translations={
                "ru": {"name": "Первые шаги", "description": "Приветствие и помощь в начале."}
            },
        ),
    ),
    "update": (
        "new_feature",
        TypeValues(
            name="Product news",
            description="New features and a digest of what happened.",
            commercial=True,
            channels=PUSHED,
            default_channels=BOTH,
            digest=True,
            position=60,
            translations={
                "ru": {
                    "name": "Новости продукта",
                    "description": "Новые возможности и обзоры событий.",
                }
            },
        ),
    ),
    "promotion": (
        "event_invitation",
        TypeValues(
            name="Offers and events",
            description="Invitations, offers and campaigns.",
            category=Category.MARKETING,
            commercial=True,
            channels=PUSHED,
            default_channels=(Channel.EMAIL,),
            position=70,
            translations={
                "ru": {
                    "name": "Предложения и события",
                    "description": "Приглашения, предложения и акции.",
                }
            },
        ),
    ),
    CONFIRMS: (
        "confirm_address",
        TypeValues(
            name="Confirming an address",
            description="Sent when somebody signs up with your address, and only then.",
            category=Category.CRITICAL,
            channels=(Channel.EMAIL,),
            default_channels=(Channel.EMAIL,),
            position=95,
            listed=False,
            translations={
                "ru": {
                    "name": "Подтверждение адреса",
                    "description": "Приходит, только если с вашим адресом кто-то подписался.",
                }
            },
        ),
    ),
    "preference_link": (
        "preference_link",
        TypeValues(
            name="Link to these settings",
            description="Sent when you ask for it on our page, and only then.",
            channels=(Channel.EMAIL,),
            default_channels=(Channel.EMAIL,),
            locked_channels=(Channel.EMAIL,),
            position=90,
            listed=False,
            translations={
                "ru": {
                    "name": "Ссылка на эти настройки",
                    "description": "Приходит, только если вы сами запросили её на нашей странице.",
                }
            },
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class Made:
    """What one run added: keys of types and templates."""

    types: list[str]
    templates: list[str]


def set_up_site(*, by: Actor, now: dt.datetime) -> Made:
    """Add what is missing, and nothing else: safe after every upgrade,
    and what staff changed stays as it is.

    So a type that is there is offered on no channel more,
    even if it came with fewer than it comes with today.
    """
    with transaction.atomic():
        templates = [template.key for template in stock.install(by=by, now=now)]
        present = set(NotificationType.objects.values_list("key", flat=True))
        missing = [key for key in TYPES if key not in present]
        for key in missing:
            template, values = TYPES[key]
            if settings.MARKETING_OPT_IN and values.category == Category.MARKETING:
                values = replace(values, default_channels=())
            create_type(
                key=key,
                values=values,
                template=Template.objects.get(key=template),
                confirms=key == CONFIRMS,
                by=by,
                now=now,
            )
        ensure_default_accounts(by=by, now=now)
    return Made(types=missing, templates=templates)
