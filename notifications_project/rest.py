"""Settings of Django REST framework and of the OpenAPI document, as dotted paths into apps/api."""

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
    "DESCRIPTION": (
        "Followers, templates, campaigns and notifications. Errors are problem+json (RFC 9457)."
    ),
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
        "WebhookState": "apps.followers.devices.webhook_calls.WebhookState",
        "ZoneMode": "apps.campaigns.models.ZoneMode",
    },
}
