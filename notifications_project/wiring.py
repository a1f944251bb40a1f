"""Where apps that don't know each other meet, as dotted paths: providers, who hears a fact,
what runs when.
"""

# A provider is one file and one line here (docs/extend.md).
PROVIDERS = {
    "smtp": "apps.channels.mail.smtp.Smtp",
    "amazon_ses": "apps.channels.esp.ses.AmazonSes",
    "brevo": "apps.channels.esp.brevo.Brevo",
    "mailgun": "apps.channels.esp.mailgun.Mailgun",
    "postmark": "apps.channels.esp.postmark.Postmark",
    "sendgrid": "apps.channels.esp.sendgrid.SendGrid",
    "django_mail": "apps.channels.mail.django_mail.DjangoMail",
    "in_app": "apps.inbox.deliver.InApp",
    "twilio": "apps.channels.sms.twilio.Twilio",
    "vonage": "apps.channels.sms.vonage.Vonage",
    "sinch": "apps.channels.sms.sinch.Sinch",
    "fcm": "apps.channels.push.fcm.Fcm",
    "apns": "apps.channels.push.apns.Apns",
    "web_push": "apps.channels.push.web_push.WebPush",
    "webhook": "apps.channels.https.webhook.Webhook",
    "twilio_voice": "apps.channels.sms.voice.TwilioVoice",
}

# Each is called with the facts inside the transaction of the change: `subscriber(facts)`.
# "*" hears everything.
EVENT_SUBSCRIBERS = {
    "*": ["apps.accounts.audit.record"],
    "notification.finished": ["apps.campaigns.lifecycle.follow"],
    "notification.cancelled": ["apps.campaigns.lifecycle.follow"],
    "notification.retracted": ["apps.inbox.removal.on_retracted"],
    "notification.reopened": ["apps.campaigns.lifecycle.follow"],
    "rhythm.changed": ["apps.notifications.decide.reconsider.rouse"],
    "follower.changed": ["apps.notifications.decide.reconsider.rouse"],
}

# The tick calls each one with `now=`; it looks in its tables for due work, claims it there and
# announces tasks. Name: (dotted path, seconds between two looks).
SCHEDULES = {
    "campaigns due": ("apps.campaigns.launch.start_due", 1),
    "launches to go on": ("apps.campaigns.launch.resume_stalled", 5),
    "recurring due": ("apps.campaigns.recurring.occurrences.start_due", 1),
    "occurrences to go on": ("apps.campaigns.recurring.occurrences.resume_stalled", 5),
    "clocks of new zones": ("apps.campaigns.recurring.edit.add_new_zones", 60),
    "events to work off": ("apps.campaigns.events.store.announce_due", 2),
    "old events": ("apps.campaigns.events.store.forget_old", 10),
    "plans to go on": ("apps.notifications.plan.resume_stalled", 5),
    "notifications to wake": ("apps.notifications.books.sleep.wake_up", 1),
    "deliveries due": ("apps.notifications.sending.sender.announce_due", 1),
    "notifications that may sleep": ("apps.notifications.books.sleep.fall_asleep", 5),
    "notifications that overslept": ("apps.notifications.books.sleep.wake_overslept", 60),
    "leftovers to close": ("apps.notifications.control.close_leftovers", 2),
    "digests due": ("apps.notifications.digests.flush.announce_due", 3),
    "replays to go on": ("apps.notifications.replay.resume_replays", 10),
    "slowed domains": ("apps.notifications.limits.domains.forget_recovered", 60),
    "uses to forget": ("apps.notifications.decide.caps.forget_old", 10),
    "expired leases": ("apps.notifications.sending.recover.expired_leases", 5),
    "idle devices": ("apps.followers.devices.register.forget_idle", 60),
    "phone numbers to forget": ("apps.followers.devices.phones.forget_old", 600),
    "answers to forget": ("apps.api.idempotency.forget", 600),
    "imports to go on": ("apps.followers.imports.job.resume_stalled", 10),
}

# Tasks whose calls may still stand in a queue under an older path (lib/queue/moved_tasks.py): old path, new path.
# Those of 0.9 go with the release after 1.0.
MOVED_TASKS = {
    "apps.notifications.send.send_lane": "apps.notifications.sending.sender.send_lane",
    "apps.notifications.digest.flush_due": "apps.notifications.digests.flush.flush_due",
    "apps.notifications.control.replay_rest": "apps.notifications.replay.replay_rest",
    "apps.followers.imports.run": "apps.followers.imports.job.run",
    "apps.campaigns.occurrences.launch_occurrence": (
        "apps.campaigns.recurring.occurrences.launch_occurrence"
    ),
    "apps.campaigns.reactions.work_off": "apps.campaigns.events.run_rules.work_off",
    "apps.subscriptions.phone_code.send": "apps.subscriptions.center.phone_code.send",
}

# What lib.crypto has encrypted, for `manage.py rotate_keys`: (model, field,
# keys within it where it is JSON).
ENCRYPTED = {
    "provider accounts": ("notifications.ProviderAccount", "settings", ()),
    "addresses": ("followers.Address", "details", ("secret", "old_secret")),  # of webhooks
    "answers of the API": ("api.IdempotentCall", "answer", ()),
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "apps.api.auth.ApiKeyAuthentication",
        "apps.api.auth.StaffSession",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["apps.api.auth.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["apps.api.parsing.PlainJson"],
    "DEFAULT_PAGINATION_CLASS": "apps.api.paging.CursorPages",
    "DEFAULT_THROTTLE_CLASSES": ["apps.api.limits.PerCaller"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "apps.api.errors.handle",
    "UNAUTHENTICATED_USER": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR = {
    "TITLE": "Carillon API",
    "DESCRIPTION": "Followers, templates, campaigns and notifications. Errors are problem+json (RFC 9457).",
    "VERSION": "1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "apps.api.docs.say_that_unknown_fields_are_refused",
        "apps.api.docs.join_wrapped_lines",
        "apps.api.docs.say_that_writes_take_a_key",
    ],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    # In the document each set of words has one name, wherever it is used.
    "ENUM_NAME_OVERRIDES": {
        "AddableChannel": "apps.api.v1.audience.addresses.ADDABLE",
        "AddressState": "apps.followers.models.AddressState",
        "CampaignState": "apps.campaigns.models.CampaignState",
        "Category": "apps.followers.models.Category",
        "Channel": "apps.followers.models.Channel",
        "DeliveryStatus": "apps.notifications.models.DeliveryStatus",
        "DeviceChannel": "apps.api.v1.audience.devices.CHANNELS",
        "EventResult": "apps.campaigns.models.OutcomeResult",
        "MissedPolicy": "apps.campaigns.models.Missed",
        "NotificationState": "apps.notifications.models.NotificationState",
        "SuppressionReason": "apps.followers.models.SuppressionReason",
        "RuleTarget": "apps.campaigns.models.RuleTarget",
        "TagResult": "apps.api.v1.audience.followers.TAG_RESULTS",
        "VersionState": "apps.content.models.VersionState",
        "WebhookState": "apps.followers.devices.webhook_calls.Standing",
        "ZoneMode": "apps.campaigns.models.ZoneMode",
    },
}
