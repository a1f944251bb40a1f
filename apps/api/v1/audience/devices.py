"""A follower's phones and browsers: register one, list them, remove one."""

import uuid
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.permissions import Scope
from apps.api.endpoint import Endpoint, Strict, described, one
from apps.followers.devices import push_devices
from apps.followers.models import Address, Channel, Follower
from apps.notifications.accounts.browser_push import vapid_public_key

CHANNELS = [(channel.value, channel.label) for channel in push_devices.CHANNELS]
APP = ("service", "token", "environment", "topic", "platform")
BROWSER = ("endpoint", "keys", "server_key")


class Keys(Strict):
    p256dh = serializers.CharField(max_length=120)
    auth = serializers.CharField(max_length=40)


class NewDevice(Strict):
    """An app has `service` and `token`; a browser `endpoint` and `keys`,
    as in `PushSubscription.toJSON()`.
    """

    channel = serializers.ChoiceField(CHANNELS)
    label: Any = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=200,
        help_text="What the person calls it: Pixel 9, Firefox.",
    )
    service = serializers.ChoiceField(push_devices.SERVICES, required=False)
    token = serializers.CharField(required=False, max_length=2000)
    environment = serializers.ChoiceField(
        push_devices.ENVIRONMENTS,
        required=False,
        help_text="APNs: a token is good in one of them only.",
    )
    topic = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=150,
        help_text="APNs: the app's bundle ID; empty = the account's.",
    )
    platform = serializers.CharField(
        required=False, allow_blank=True, max_length=150, help_text="android, ios …"
    )
    endpoint = serializers.CharField(required=False, max_length=2000)
    keys = Keys(required=False)
    server_key = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=100,
        help_text="The `applicationServerKey` it subscribed with.",
    )

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        own: tuple[str, ...] = BROWSER
        others: tuple[str, ...] = APP
        if values["channel"] == Channel.PUSH:
            own = APP
            others = BROWSER
        wrong = {name: f"Not for {values['channel']}." for name in others if name in values}
        wrong |= {name: "This is required here." for name in own[:2] if name not in values}
        if wrong:
            raise serializers.ValidationError(wrong)
        return values


class DeviceOut(serializers.Serializer[Address]):
    id = serializers.UUIDField(source="uid")
    channel = serializers.ChoiceField(CHANNELS)
    service = serializers.CharField(source="via", help_text="fcm, apns; empty for a browser.")
    label: Any = serializers.SerializerMethodField()
    platform = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    seen_at = serializers.DateTimeField(help_text="When it last registered.")

    def get_label(self, device: Address) -> str:
        label: str = (device.details or {}).get("label", "")
        return label

    def get_platform(self, device: Address) -> str:
        platform: str = (device.details or {}).get("platform", "")
        return platform


class DeviceList(serializers.Serializer[Any]):
    results = DeviceOut(many=True)
    server_key = serializers.CharField(
        allow_null=True,
        help_text=(
            "What a browser subscribes with (`applicationServerKey`); null: no web push here."
        ),
    )


class Devices(Endpoint):
    """The devices of one follower."""

    scopes = {"GET": Scope.FOLLOWERS_READ, "POST": Scope.FOLLOWERS_WRITE}

    @described(
        "Followers",
        "followers_devices",
        "List a follower's devices",
        answer=DeviceList,
        refuses=(404,),
        details=(
            "Those that are alive, the one that was seen last first; a hundred at most. Tokens "
            "are not shown."
        ),
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        self.query()
        found = push_devices.devices_of(one(Follower.objects.all(), uid=id))
        return Response(DeviceList({"results": found, "server_key": vapid_public_key()}).data)

    @described(
        "Followers",
        "followers_register_device",
        "Register a device",
        body=NewDevice,
        answer=DeviceOut,
        refuses=(400, 404, 409),
        details=(
            "At each start of the app and each visit: it says that the device is there. One that "
            "another follower had changes hands."
        ),
    )
    def post(self, request: Request, id: uuid.UUID) -> Response:
        follower = one(Follower.objects.all(), uid=id)
        given = self.body(NewDevice)
        if given.pop("channel") == Channel.PUSH:
            app = push_devices.AppDevice(**given)
            device = push_devices.register_app(follower=follower, app=app, by=self.by, now=self.now)
        else:
            browser = push_devices.BrowserDevice(**given.pop("keys"), **given)
            device = push_devices.register_browser(
                follower=follower, browser=browser, by=self.by, now=self.now
            )
        return Response(DeviceOut(device).data)


class OneDevice(Endpoint):
    """One device of one follower."""

    scopes = {"DELETE": Scope.FOLLOWERS_WRITE}

    @described(
        "Followers",
        "followers_remove_device",
        "Forget a device",
        answer=None,
        refuses=(404,),
        details="Call it at logout: what waits for the device is skipped.",
    )
    def delete(self, request: Request, id: uuid.UUID, device: uuid.UUID) -> Response:
        rows = Address.objects.filter(channel__in=push_devices.CHANNELS).select_related("follower")
        push_devices.unregister(
            device=one(rows, uid=device, follower__uid=id), by=self.by, now=self.now
        )
        return Response(status=204)
