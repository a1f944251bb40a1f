"""Local servers that speak like FCM, like a browser's push service, and (fake_apns.py) like Apple.

`with FakePush() as fake: Fcm.open(fake.settings("fcm"))`. It refuses what they refuse and breaks
where a test says so, as its elder for ESPs does (`fake.faults`, `fake.bad`). Its browsers read what
came with `http_ece`, which is not ours.
"""

import json
import secrets
import time
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qs

import http_ece
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from apps.channels.push.web_push_encryption import CURVE, base64url, new_private_key, unbase64
from tests.fake_esp import Answer, Call, FakeEsp, Refused
from tests.patience import PATIENCE

PROJECT = "carillon-test"
EMAIL = f"push@{PROJECT}.iam.gserviceaccount.com"
SUBJECT = "mailto:hello@carillon.example"


@dataclass
class Shown:
    """What the phone or the browser shows."""

    token: str  # or endpoint
    title: str
    body: str
    link: str
    image: str
    delivery: str
    headers: dict[str, str]
    sent: dict[str, Any]  # as it came
    call: int = 0


@cache
def google_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def pem(key: Any) -> str:
    found: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return found.decode()


# ------------------------------------------------------------------ Google
def _token(oauth: "FakeOauth", call: Call) -> tuple[list[Any], Any]:
    """RFC 7523."""
    form = {
        name: values[0]
        for name, values in parse_qs(call.body.decode(), strict_parsing=True).items()
    }
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    assert jwt.get_unverified_header(form["assertion"])["kid"] == oauth.url
    claims = jwt.decode(
        form["assertion"], google_key().public_key(), ["RS256"], audience=f"{oauth.url}/token"
    )
    assert claims["iss"] == EMAIL
    assert claims["scope"] == "https://www.googleapis.com/auth/firebase.messaging"
    assert claims["exp"] - claims["iat"] <= 3600
    oauth.token = f"ya29.{secrets.token_hex(8)}"
    return [], {"access_token": oauth.token, "expires_in": oauth.seconds, "token_type": "Bearer"}


class FakeOauth(FakeEsp):
    dialects = {"token": _token}
    token = ""
    seconds = 3599


def _fcm(fake: "FakePush", call: Call) -> tuple[list[Any], Any]:
    assert call.path == f"/fcm/v1/projects/{PROJECT}/messages:send"
    if call.headers["authorization"] != f"Bearer {fake.oauth.token}":
        raise Refused(
            fcm_says(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        )
    [(name, message)] = call.json.items()
    assert name == "message"
    assert set(message) <= {"token", "notification", "data", "android", "apns"}
    assert set(message["notification"]) <= {"title", "body", "image"}
    assert all(isinstance(value, str) for value in message["data"].values())
    assert message["android"]["priority"] in ("HIGH", "NORMAL")
    assert message["android"]["ttl"].endswith("s")
    if message["token"] in fake.bad:
        raise Refused(SAYS[fake.bad[message["token"]]])
    alert = message["notification"]
    data = message["data"]
    shown = Shown(
        message["token"],
        alert.get("title", ""),
        alert.get("body", ""),
        data.get("link", ""),
        alert.get("image", ""),
        data["delivery"],
        call.headers,
        message,
    )
    return [shown], {"name": f"projects/{PROJECT}/messages/0:{len(fake.calls)}"}


def fcm_says(status: int, word: str, message: str, code: str = "", **more: Any) -> Answer:
    """An error of FCM as its REST reference has it."""
    google = "type.googleapis.com/google"
    details: list[Any] = []
    if code:
        details = [{"@type": f"{google}.firebase.fcm.v1.FcmError", "errorCode": code}]
    if wrong := more.pop("fields", None):
        violations = [{"field": name, "description": message} for name in wrong]
        details.append({"@type": f"{google}.rpc.BadRequest", "fieldViolations": violations})
    return Answer(
        status,
        {"error": {"code": status, "message": message, "status": word, "details": details}},
        **more,
    )


_NO_TOKEN = "The registration token is not a valid FCM registration token"
# What FCM says of a token, of content it won't take, of our project and of how much it takes
SAYS = {
    "unregistered": fcm_says(404, "NOT_FOUND", "Requested entity was not found.", "UNREGISTERED"),
    "mismatch": fcm_says(403, "PERMISSION_DENIED", "SenderId mismatch", "SENDER_ID_MISMATCH"),
    "no_token": fcm_says(400, "INVALID_ARGUMENT", _NO_TOKEN, "INVALID_ARGUMENT"),
    "content": fcm_says(
        400,
        "INVALID_ARGUMENT",
        "Invalid value",
        "INVALID_ARGUMENT",
        fields=["message.data[0].value"],
    ),
    "too_big": fcm_says(400, "INVALID_ARGUMENT", "Android message is too big", "INVALID_ARGUMENT"),
    "apple_key": fcm_says(401, "UNAUTHENTICATED", "Auth error from APNS", "THIRD_PARTY_AUTH_ERROR"),
    "denied": fcm_says(
        403, "PERMISSION_DENIED", "Permission 'cloudmessaging.messages.create' denied"
    ),
    "no_project": fcm_says(404, "NOT_FOUND", "Requested entity was not found."),
    "quota": fcm_says(429, "RESOURCE_EXHAUSTED", "Quota exceeded", "QUOTA_EXCEEDED"),
    "quota_17": fcm_says(
        429, "RESOURCE_EXHAUSTED", "Quota", "QUOTA_EXCEEDED", headers={"Retry-After": "17"}
    ),
    "internal": fcm_says(500, "INTERNAL", "Internal error encountered.", "INTERNAL"),
    "unavailable": fcm_says(
        503, "UNAVAILABLE", "The service is currently unavailable.", "UNAVAILABLE"
    ),
}


# ------------------------------------------------------------------ browsers
@dataclass
class Browser:
    """A browser's half of a subscription."""

    endpoint: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(CURVE))
    auth: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    server_key: str = ""

    def keys(self) -> dict[str, str]:

        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return {"p256dh": base64url(point), "auth": base64url(self.auth)}

    def read(self, body: bytes) -> Any:
        return json.loads(
            http_ece.decrypt(body, private_key=self.key, auth_secret=self.auth, version="aes128gcm")
        )


def _push(fake: "FakePush", call: Call) -> tuple[list[Any], Any]:
    """RFC 8030 and 8292."""
    endpoint = fake.url + call.path
    if endpoint in fake.bad:
        raise Refused(Answer(int(fake.bad[endpoint]), "no"))
    browser = fake.browsers[endpoint]
    headers = call.headers
    assert headers["content-encoding"] == "aes128gcm"
    assert 0 <= int(headers["ttl"]) <= 2_419_200
    assert headers["urgency"] in ("very-low", "low", "normal", "high")
    assert len(headers.get("topic", "")) <= 32
    scheme, _, rest = headers["authorization"].partition(" ")
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    assert scheme == "vapid"
    key = ec.EllipticCurvePublicKey.from_encoded_point(CURVE, unbase64(parts["k"]))
    claims = jwt.decode(parts["t"], key, ["ES256"], audience=fake.url)
    assert claims["exp"] - time.time() <= 86_400
    assert claims["sub"] == SUBJECT
    if browser.server_key and parts["k"] != browser.server_key:
        raise Refused(
            Answer(403, "the key in the authorization header does not match the subscription's")
        )
    said = browser.read(call.body)
    shown = Shown(
        endpoint,
        said.get("title", ""),
        said.get("body", ""),
        said.get("link", ""),
        said.get("image", ""),
        said["delivery"],
        headers,
        said,
    )
    return [shown], Answer(201, None, {"Location": f"{fake.url}/message/{len(fake.calls)}"})


class FakePush(FakeEsp):
    dialects = {"fcm": _fcm, "push": _push}

    def __init__(self) -> None:
        super().__init__()
        self.oauth = FakeOauth()
        self.browsers: dict[str, Browser] = {}

    def settings(self, esp: str, **more: Any) -> dict[str, Any]:
        if esp == "web_push":
            return {
                "subject": SUBJECT,
                "private_key": new_private_key(),
                "timeout": PATIENCE,
                **more,
            }
        account = {
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": self.oauth.url,
            "private_key": pem(google_key()),
            "client_email": EMAIL,
            "token_uri": f"{self.oauth.url}/token",
        }
        fields = {
            "service_account": json.dumps(account, indent=2),
            "api_url": f"{self.url}/fcm",
            "timeout": PATIENCE,
        }
        return {**fields, **more}

    def browser(self, server_key: str = "") -> Browser:
        """One more that subscribes."""
        endpoint = f"{self.url}/push/{secrets.token_urlsafe(8)}"
        self.browsers[endpoint] = Browser(endpoint, server_key=server_key)
        return self.browsers[endpoint]

    def __enter__(self) -> "FakePush":
        self.oauth.__enter__()
        super().__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self.oauth.__exit__()
