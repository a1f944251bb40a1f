"""Apple Push Notification service, over HTTP/2 with a provider token.

What it answers: developer.apple.com, "Handling notification responses from APNs".
Apple recognises no second copy of a message: one without an answer is in doubt, and its type says
whether it is sent again. On the phone the second takes the first one's place (apns-collapse-id).
"""

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2
import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from apps.channels.contract import BadSettings, Outcome, Provider, Remedy, Result, Session, Setting
from apps.channels.https.caller import Caller, check, json_object
from apps.channels.messages import PushMessage
from apps.channels.push.payload import LONGEST_TTL, apns_priority, as_json, unsendable
from apps.lib.pem import BadPem, private_key

CONNECTIONS = 10  # each waits for an answer most of the time
# Apple wants a token to be used for 20 to 60 minutes.
# All processes begin a new one at the same moments.
TOKEN_SECONDS = 1800
LONGEST_COLLAPSE = 64  # bytes
GONE = ("Unregistered", "ExpiredToken")
# For reasons that may lie with us (an app of the other environment, a wrong bundle id),
# so the token is kept
NOT_HERE = ("BadDeviceToken", "DeviceTokenNotForTopic", "MissingDeviceToken")
# The certificate's and the token's, the bundle id, and tokens that we change too often
OURS = (
    "BadCertificate",
    "BadCertificateEnvironment",
    "BadEnvironmentKeyIdInToken",
    "BadEnvironmentKeyInToken",
    "ExpiredProviderToken",
    "InvalidProviderToken",
    "MissingProviderToken",
    "UnrelatedKeyIdInToken",
    "BadTopic",
    "MissingTopic",
    "TopicDisallowed",
    "TooManyProviderTokenUpdates",
)


class Apns(Provider):
    key = "apns"
    channel = "push"
    via = "apns"
    label = "Apple Push Notification service"
    settings = (
        Setting(
            "team_id",
            _("Team ID"),
            required=True,
            help=_("Ten characters: developer.apple.com, Membership."),
        ),
        Setting("key_id", _("Key ID"), required=True, help=_("Ten characters, of the key below.")),
        Setting(
            "private_key",
            _("Key"),
            kind="secret",
            required=True,
            lines=True,
            help=_("The .p8 file as it is."),
        ),
        Setting(
            "topic",
            _("Bundle ID"),
            required=True,
            help=_("Of the app, where a device names no other."),
        ),
        Setting("api_url", _("API base URL"), default="https://api.push.apple.com"),
        Setting(
            "sandbox_url",
            _("Address for sandbox tokens"),
            default="https://api.sandbox.push.apple.com",
        ),
        Setting("timeout", _("Seconds to wait for an answer"), kind="integer", default=30),
        Setting("connections", _("Connections per sender"), kind="integer", default=CONNECTIONS),
    )

    @classmethod
    def open(cls, settings: Mapping[str, Any]) -> "ApnsSession":
        check(cls, settings)
        for name in ("api_url", "sandbox_url"):
            if not str(settings.get(name) or "https://").startswith("https://"):
                raise BadSettings(
                    gettext(
                        "The addresses of the API must begin with https://: APNs speaks HTTP/2 over"
                        " TLS only."
                    )
                )
        team, key_id, pem = (
            str(settings.get(name) or "") for name in ("team_id", "key_id", "private_key")
        )
        try:
            key = private_key(pem)
        except BadPem as error:
            raise BadSettings(gettext("The key {why}").format(why=error)) from error
        if not isinstance(key, EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
            raise BadSettings(
                gettext(
                    "The key is not one for APNs: Apple's .p8 files hold a key of the curve P-256."
                )
            )
        return ApnsSession(
            settings, _tokens.setdefault((team, key_id, pem), ProviderToken(team, key_id, key))
        )

    @classmethod
    def connections(cls, settings: Mapping[str, Any]) -> int:
        return int(settings.get("connections") or CONNECTIONS)


@dataclass
class ProviderToken:
    """Who we are to Apple (RFC 7519, ES256), shared by all connections of a process."""

    team: str
    key_id: str
    key: EllipticCurvePrivateKey
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _token: str = ""
    _issued: int = 0

    def current(self, now: int) -> str:
        """The one of the half hour that `now` (Unix seconds) lies in."""
        begun = now - now % TOKEN_SECONDS
        with self._lock:
            if self._issued < begun:
                self._sign(begun)
            return self._token

    def renewed(self, refused: str) -> str:
        """Another one than the refused; one that somebody else has made since will do."""
        with self._lock:
            if self._token == refused:
                self._sign(int(time.time()))
            return self._token

    def _sign(self, issued: int) -> None:
        claims = {"iss": self.team, "iat": issued}
        self._token = jwt.encode(claims, self.key, algorithm="ES256", headers={"kid": self.key_id})
        self._issued = issued


_tokens: dict[tuple[str, str, str], ProviderToken] = {}


class _Body:
    """The body of a request, which notes how much of it the connection took (web_wire.Body for
    httpx2).

    The stream ends after its last block,
    so the other side can have the whole message only when `left` is true.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.begun = self.left = False

    def __iter__(self) -> Iterator[bytes]:
        self.begun = True
        self.left = False
        yield self._content
        self.left = True


class ApnsSession(Caller, Session[PushMessage]):
    """A connection for production tokens and one for those of the sandbox,
    kept between messages.
    """

    def __init__(self, settings: Mapping[str, Any], token: ProviderToken) -> None:
        super().__init__(Apns, settings)
        usual = {each.name: each.default for each in Apns.settings}
        self.urls = {
            environment: str(settings.get(name) or usual[name]).rstrip("/")
            for environment, name in (("production", "api_url"), ("sandbox", "sandbox_url"))
        }
        self.token = token
        self._client = None
        self._body = _Body(b"")

    _client: httpx2.Client | None

    def send(self, message: PushMessage) -> Outcome:
        content = content_of(message)
        if never := unsendable(message, content):
            return never
        self._body = _Body(b"")
        token = self.token.current(int(time.time()))
        try:
            response = self._post(message, as_json(content), token)
            if reason_of(response) == "ExpiredProviderToken":
                response = self._post(message, as_json(content), self.token.renewed(token))
        except httpx2.HTTPError as error:
            return self.broken(error)
        if response.status_code == 200:
            return Outcome(Result.ACCEPTED, "200", provider_id=response.headers.get("apns-id", ""))
        if (reason := str(json_object(response.text).get("reason") or "")) in blamed(
            message.details
        ):
            return Outcome(Result.PERMANENT_RECIPIENT, f"{response.status_code} {reason}")
        if response.status_code >= 500:  # Apple asks for another connection then
            self.close()
        return self.refused(response.status_code, response.headers, response.text)

    def _post(self, message: PushMessage, content: bytes, token: str) -> httpx2.Response:
        environment = "production"
        if message.details.get("environment") == "sandbox":
            environment = "sandbox"
        url = f"{self.urls[environment]}/3/device/{message.token}"
        topic = str(message.details.get("topic") or self.settings["topic"])
        headers = headers_of(message) | {
            "authorization": f"bearer {token}",
            "apns-topic": topic,
            "content-length": str(len(content)),
        }
        self._body = _Body(content)
        try:
            return self._connected().post(url, content=self._body, headers=headers)
        except (httpx2.ReadError, httpx2.WriteError, httpx2.RemoteProtocolError) as error:
            if self._body.left and not _untouched(error):
                raise
        # Apple ended the connection before it had the whole message, so it can't have taken it
        self.close()
        return self._connected().post(url, content=self._body, headers=headers)

    def _connected(self) -> httpx2.Client:
        if self._client is None:
            connect, read = self.patience
            self._client = httpx2.Client(
                http1=False, http2=True, timeout=httpx2.Timeout(read, connect=connect)
            )
        return self._client

    def refused(self, status: int, headers: Mapping[str, str], text: str) -> Outcome:
        answer = json_object(text)
        told = judged(status, str(answer.get("reason") or ""))
        if told is None:
            return super().refused(status, headers, text)
        result, remedy = told
        noticed = answer.get("timestamp")
        gone_since = None
        if remedy is Remedy.GONE and isinstance(noticed, int | float):
            gone_since = noticed / 1000
        return Outcome(
            result,
            self.clean(f"{status} {answer.get('reason')}"),
            charged=result is not Result.ACCOUNT,
            remedy=remedy,
            gone_since=gone_since,
        )

    def judge(self, words: str) -> Result:
        return Result.PERMANENT_CONTENT

    def body(self) -> _Body:  # type: ignore[override]  # says the same of itself
        return self._body

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


def judged(status: int, reason: str) -> tuple[Result, Remedy] | None:
    """What a refusal is about, and whether the token is dead;
    None where the HTTP status says it all.
    """
    if status == 410 or reason in GONE:
        return Result.PERMANENT_RECIPIENT, Remedy.GONE
    if reason in NOT_HERE:
        return Result.PERMANENT_RECIPIENT, Remedy.NONE
    if reason in OURS:
        return Result.ACCOUNT, Remedy.NONE
    if reason in (
        "TooManyRequests",
        "IdleTimeout",
    ):  # too many to this one device; the others may go on
        return Result.TRANSIENT, Remedy.NONE
    if reason == "Forbidden" or status in (400, 413):
        return Result.PERMANENT_CONTENT, Remedy.NONE
    return None


def blamed(details: Mapping[str, Any]) -> tuple[str, ...]:
    """Reasons that are this device's own where it named an app or the sandbox: anybody's app may
    name one that our key is not good for, and that must not stop the account for all others.
    """
    own: tuple[str, ...] = ()
    if details.get("topic"):
        own += ("BadTopic", "TopicDisallowed")
    if details.get("environment") == "sandbox":
        own += ("BadEnvironmentKeyIdInToken", "BadEnvironmentKeyInToken")
    return own


def content_of(message: PushMessage) -> dict[str, Any]:
    alert = {
        name: words for name, words in (("title", message.title), ("body", message.body)) if words
    }
    aps: dict[str, Any] = {"alert": alert, "sound": "default"}
    if message.image:
        aps["mutable-content"] = 1  # lets the app's extension fetch it
    own = {"link": message.link, "image": message.image, "delivery": str(message.delivery)}
    return {"aps": aps, **{name: words for name, words in own.items() if words}}


def headers_of(message: PushMessage) -> dict[str, str]:
    if message.ttl is None:
        ttl = LONGEST_TTL
    else:
        ttl = min(message.ttl, LONGEST_TTL)
    headers = {
        "apns-id": str(message.delivery),
        "apns-push-type": "alert",
        "apns-priority": apns_priority(message),
        "apns-expiration": str(int(time.time()) + ttl),
    }
    if message.collapse:
        headers["apns-collapse-id"] = message.collapse.encode()[:LONGEST_COLLAPSE].decode(
            errors="ignore"
        )
    return headers


def reason_of(response: httpx2.Response) -> str:
    if response.status_code == 403:
        return str(json_object(response.text).get("reason") or "")
    return ""


def _untouched(error: httpx2.HTTPError) -> bool:
    """The connection was ended (GOAWAY) before any message of it was looked at:
    those can go through another one.

    RFC 9113 6.8: nothing above the last stream was processed. Where some were,
    httpx2 sees to the others itself.
    """
    said: tuple[Any, ...] = getattr(error.__cause__, "args", ())
    return any(getattr(each, "last_stream_id", None) == 0 for each in said)
