"""Addresses of version 1: one line per view."""

import uuid

from django.urls import path, register_converter
from django.urls.converters import StringConverter
from rest_framework.views import APIView

from apps.api.refusals import NO_ID
from apps.api.v1.audience import (
    addresses,
    delivery_preferences,
    devices,
    erasures,
    fields,
    inbox,
    preferences,
    segments,
    suppressions,
    tags,
    webhooks,
)
from apps.api.v1.audience.files import copies, exports, imports
from apps.api.v1.audience.followers import many, merging, one
from apps.api.v1.audience.followers import tags as tags_of_one
from apps.api.v1.content import caps, layouts, templates, types
from apps.api.v1.send import (
    campaigns,
    deliveries,
    delivery_checks,
    event_rules,
    events,
    messages,
    notifications,
    recurring,
)
from apps.api.verbs import verb_paths


class IdConverter:
    """A UUID in any spelling; another word is an id that nothing has, and no other address."""

    regex = "[^/]+"

    def to_python(self, value: str) -> uuid.UUID:
        try:
            return uuid.UUID(value)
        except ValueError:
            return NO_ID

    def to_url(self, value: uuid.UUID) -> str:
        return str(value)


class TextConverter(StringConverter):
    """Any text, with slashes and line breaks in it."""

    regex = r"[\s\S]+"


register_converter(IdConverter, "id")
register_converter(TextConverter, "text")
VIEWS: dict[str, type[APIView]] = {
    "copies/<id:id>": copies.OneCopy,
    "copies/<id:id>/archive": copies.ArchiveOfCopy,
    "exports": exports.Exports,
    "erasures/<id:id>": erasures.OneErasure,
    "exports/<id:id>": exports.OneExport,
    "exports/<id:id>/pages/<int:number>": exports.ExportRows,
    "imports": imports.Imports,
    "imports/<id:id>": imports.OneImport,
    "imports/<id:id>/preview": imports.PreviewOfImport,
    "imports/<id:id>/start": imports.StartOfImport,
    "imports/<id:id>/problems": imports.ProblemsOfImport,
    "followers": one.Followers,
    "followers/tags": many.BulkTags,
    "followers/bulk": many.BulkFollowers,
    "followers/by-external-id/<text:external_id>": one.FollowerByExternalId,
    "followers/<id:id>": one.OneFollower,
    "followers/<id:id>/merge": merging.Merge,
    "followers/<id:id>/delete-mistake": merging.Mistake,
    "followers/<id:id>/copy": copies.CopyOfFollower,
    "followers/<id:id>/unsubscribe": one.Unsubscribe,
    "followers/<id:id>/resubscribe": one.Resubscribe,
    "followers/<id:id>/revoke-links": one.RevokeLinks,
    "followers/<id:id>/addresses": addresses.Addresses,
    "followers/<id:id>/addresses/<id:address>": addresses.OneAddress,
    "followers/<id:id>/addresses/<id:address>/primary": addresses.Primary,
    "followers/<id:id>/tags": tags_of_one.FollowerTags,
    "followers/<id:id>/tags/<str:slug>": tags_of_one.FollowerTag,
    "followers/<id:id>/preferences": preferences.Preferences,
    "followers/<id:id>/preferences/<str:type>/<str:channel>": preferences.OneCell,
    "followers/<id:id>/delivery-check": delivery_checks.DeliveryChecks,
    "followers/<id:id>/delivery-preferences": delivery_preferences.DeliveryPreferences,
    "followers/<id:id>/devices": devices.Devices,
    "followers/<id:id>/devices/<id:device>": devices.OneDevice,
    "followers/<id:id>/webhooks": webhooks.Webhooks,
    "followers/<id:id>/webhooks/<id:webhook>": webhooks.OneWebhook,
    "followers/<id:id>/webhooks/<id:webhook>/secret": webhooks.WebhookSecret,
    "followers/<id:id>/webhooks/<id:webhook>/switch-off": webhooks.SwitchOff,
    "followers/<id:id>/webhooks/<id:webhook>/switch-on": webhooks.SwitchOn,
    "followers/<id:id>/inbox": inbox.Inbox,
    "followers/<id:id>/inbox/count": inbox.InboxCount,
    "followers/<id:id>/inbox/read-all": inbox.ReadAll,
    "followers/<id:id>/inbox/<id:item>/read": inbox.Read,
    "followers/<id:id>/inbox/<id:item>/unread": inbox.Unread,
    "followers/<id:id>/inbox/<id:item>/archive": inbox.ArchiveItem,
    "followers/<id:id>/inbox/<id:item>/unarchive": inbox.Unarchive,
    "webhooks": webhooks.AllWebhooks,
    "tags": tags.Tags,
    "tags/<str:slug>": tags.OneTag,
    "fields": fields.CustomFields,
    "fields/<str:key>": fields.OneCustomField,
    "segments": segments.Segments,
    "segments/count": segments.RulesCount,
    "segments/<id:id>": segments.OneSegment,
    "segments/<id:id>/count": segments.SegmentCount,
    "segments/<id:id>/followers": segments.SegmentFollowers,
    "suppressions": suppressions.Suppressions,
    "suppressions/<id:id>/release": suppressions.ReleaseSuppression,
    "message-types": types.Types,
    "message-types/<str:key>": types.OneType,
    "layouts": layouts.Layouts,
    "layouts/<str:key>": layouts.OneLayout,
    "templates": templates.Templates,
    "templates/<id:id>": templates.OneTemplate,
    "templates/<id:id>/draft": templates.Draft,
    "templates/<id:id>/publish": templates.Publish,
    "templates/<id:id>/archive": templates.ArchiveTemplate,
    "templates/<id:id>/versions": templates.Versions,
    "templates/<id:id>/versions/<int:number>": templates.OneVersion,
    "templates/<id:id>/versions/<int:number>/restore": templates.Restore,
    "templates/<id:id>/versions/<int:number>/preview": templates.Preview,
    "templates/<id:id>/versions/<int:number>/test": templates.TestSend,
    "caps": caps.Caps,
    "caps/<id:id>": caps.OneCap,
    "campaigns": campaigns.Campaigns,
    "campaigns/<id:id>": campaigns.OneCampaign,
    "campaigns/<id:id>/audience": campaigns.AudienceOfCampaign,
    "campaigns/<id:id>/audience/<id:count>": campaigns.OneAudienceCount,
    "campaigns/<id:id>/schedule": campaigns.Schedule,
    "campaigns/<id:id>/balance": campaigns.CampaignBalance,
    "campaigns/<id:id>/deliveries": campaigns.CampaignDeliveries,
    "messages": messages.Messages,
    "messages/<id:id>": messages.OneMessage,
    "messages/<id:id>/deliveries": messages.MessageDeliveries,
    "notify": notifications.Notify,
    "notifications": notifications.Notifications,
    "notifications/<id:id>": notifications.OneNotification,
    "notifications/<id:id>/hold-ups": notifications.NotificationHoldUps,
    "notifications/<id:id>/deliveries": notifications.NotificationDeliveries,
    "events": events.Events,
    "events/bulk": events.BulkEvents,
    "events/<id:id>": events.OneEvent,
    "event-rules": event_rules.EventRules,
    "event-rules/<id:id>": event_rules.OneEventRule,
    "event-rules/<id:id>/test": event_rules.TestEventRule,
    "recurring": recurring.AllRecurring,
    "recurring/preview": recurring.PreviewCadence,
    "recurring/<id:id>": recurring.OneRecurring,
    "recurring/<id:id>/occurrences": recurring.Occurrences,
    "deliveries": deliveries.Deliveries,
    "deliveries/<id:id>": deliveries.OneDelivery,
    "deliveries/<id:id>/timeline": deliveries.DeliveryTimeline,
}
urlpatterns = [
    *(path(address, view.as_view()) for address, view in VIEWS.items()),
    *verb_paths("Campaigns", campaigns.campaign_of, campaigns.VERBS),
    *verb_paths("Deliveries", deliveries.delivery_of, deliveries.VERBS),
    *verb_paths("Messages", messages.message_of, messages.VERBS),
    *verb_paths("Notifications", notifications.steered, notifications.VERBS),
    *verb_paths("Recurring", recurring.recurring_of, recurring.VERBS),
]
