"""Firebase Cloud Messaging (HTTP v1): Android, and iPhones whose app uses Firebase.

What a refusal is about stands in `details`, not in the HTTP status
(https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode).
"""

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import requests
from django.utils.translation import gettext_noop as _

from apps.channels.contract import Outcome, Provider, Remedy, Result, Session, Setting
from apps.channels.https.caller import Caller, check, json_object
from apps.channels.https.wire import Body, Wire
from apps.channels.messages import PushMessage
from apps.channels.push import fcm_token
from apps.channels.push.fcm_token import NoToken, ServiceAccount
from apps.channels.push.payload import LONGEST_TTL, apns_priority, as_json, unsendable

CONNECTIONS = 10  # each waits for an answer most of the time
QUOTA_WAIT = 60.0  # seconds; Google asks for a minute at least where it names no time
NOT_A_TOKEN = "not a valid fcm registration token"  # noqa: S105


class Fcm(Provider):
    key = "fcm"
    channel = "push"
    via = "fcm"
    label = "Firebase Cloud Messaging"
    settings = (
        Setting(
            "service_account",
            _("Service account"),
            kind="secret",
            required=True,
            lines=True,
            help=_("The JSON file of a key: Firebase console, Project settings, Service accounts."),
        ),
        Setting("api_url", _("API base URL"), default="https://fcm.googleapis.com"),
        Setting("timeout", _("Seconds to wait for an answer"), kind="integer", default=30),
        Setting("connections", _("Parallel requests"), kind="integer", default=CONNECTIONS),
    )

    @classmethod
    def open(cls, settings: Mapping[str, Any]) -> "FcmSession":
        check(cls, settings)
        return FcmSession(settings, ServiceAccount.read(str(settings["service_account"])))

    @classmethod
    def connections(cls, settings: Mapping[str, Any]) -> int:
        return int(settings.get("connections") or CONNECTIONS)


class FcmSession(Caller, Session[PushMessage]):
    """A connection that is kept between messages."""

    def __init__(self, settings: Mapping[str, Any], account: ServiceAccount) -> None:
        super().__init__(Fcm, settings)
        self.account = account
        self.wire = Wire()
        root = str(settings.get("api_url") or "https://fcm.googleapis.com").rstrip("/")
        self.url = f"{root}/v1/projects/{quote(account.project, safe='')}/messages:send"

    def send(self, message: PushMessage) -> Outcome:
        content = content_of(message)
        if never := unsendable(message, {name: content[name] for name in ("notification", "data")}):
            return never
        self.wire.body = Body()
        try:
            token = fcm_token.token_of(self.account, timeout=self.patience)
        except NoToken as error:
            return self._without_token(error)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        try:
            response = self.wire.post(
                self.url, data=as_json({"message": content}), headers=headers, timeout=self.patience
            )
        except requests.RequestException as error:
            return self.broken(error)
        if response.status_code == 401:  # perhaps it was revoked: the next try asks for another
            fcm_token.forget(self.account, token)
        if response.status_code != 200:
            return self.refused(response.status_code, response.headers, response.text)
        name = str(json_object(response.text).get("name") or "")
        if not name:
            return Outcome(
                Result.IN_DOUBT, self.clean(f"FCM gave an answer we can't read: {response.text}")
            )
        return Outcome(Result.ACCEPTED, "200", provider_id=name)

    def _without_token(self, error: NoToken) -> Outcome:
        """Nothing can go out here, whatever the reason."""
        if error.status == 429:
            return super().refused(429, {"Retry-After": error.retry_after or ""}, str(error))
        said = self.clean(f"No access token of the service account: {error.status or ''} {error}")
        return Outcome(Result.ACCOUNT, said, charged=False)

    def refused(self, status: int, headers: Mapping[str, str], text: str) -> Outcome:
        told = judged(status, json_object(text))
        if told is None:
            outcome = super().refused(status, headers, text)
            if outcome.result is Result.THROTTLED and outcome.retry_after is None:
                return Outcome(
                    Result.THROTTLED, outcome.detail, retry_after=QUOTA_WAIT, charged=False
                )
            return outcome
        result, remedy = told
        charged = result is not Result.ACCOUNT
        return Outcome(
            result,
            self.clean(f"{status} {_words(json_object(text))}"),
            remedy=remedy,
            charged=charged,
        )

    def judge(self, words: str) -> Result:
        return Result.PERMANENT_CONTENT

    def body(self) -> Body:
        return self.wire.body

    def close(self) -> None:
        self.wire.close()


def content_of(message: PushMessage) -> dict[str, Any]:
    """FCM's `Message`. A later one with the same `collapse` replaces it, waiting and shown."""
    notification = {"title": message.title, "body": message.body, "image": message.image}
    data = {"link": message.link, "delivery": str(message.delivery)}
    if message.ttl is None:
        ttl = LONGEST_TTL
    else:
        ttl = min(message.ttl, LONGEST_TTL)
    priority = "NORMAL"
    if message.urgent:
        priority = "HIGH"
    android: dict[str, Any] = {"priority": priority, "ttl": f"{ttl}s"}
    apple = {
        "apns-priority": apns_priority(message),
        "apns-expiration": str(int(time.time()) + ttl),
    }
    if message.collapse:
        android |= {"collapse_key": message.collapse, "notification": {"tag": message.collapse}}
        apple["apns-collapse-id"] = message.collapse
    return {
        "token": message.token,
        "notification": {name: words for name, words in notification.items() if words},
        "data": {name: words for name, words in data.items() if words},
        "android": android,
        "apns": {"headers": apple},
    }


def judged(status: int, answer: Mapping[str, Any]) -> tuple[Result, Remedy] | None:
    """What a refusal is about, and whether the token is dead;
    None where the HTTP status says it all.

    The same code (INVALID_ARGUMENT) is said of a message that is wrong and of a token that never
    was one: only the first names the fields that are wrong.
    """
    error = answer.get("error")
    if not isinstance(error, dict):
        error = {}
    details = [each for each in error.get("details") or () if isinstance(each, dict)]
    code = next((each["errorCode"] for each in details if "errorCode" in each), "")
    if code == "UNREGISTERED":
        return Result.PERMANENT_RECIPIENT, Remedy.GONE
    if (
        code == "SENDER_ID_MISMATCH"
    ):  # the app belongs to another project: no account of ours for this one reaches it
        return Result.PERMANENT_RECIPIENT, Remedy.GONE
    if code == "THIRD_PARTY_AUTH_ERROR":
        return Result.ACCOUNT, Remedy.NONE
    if status == 400:
        violations = [each for found in details for each in found.get("fieldViolations") or ()]
        if not violations and NOT_A_TOKEN in str(error.get("message")).lower():
            return Result.PERMANENT_RECIPIENT, Remedy.GONE
        return Result.PERMANENT_CONTENT, Remedy.NONE
    return None


def _words(answer: Mapping[str, Any]) -> str:
    error = {}
    if isinstance(answer.get("error"), dict):
        error = answer["error"]
    codes = [
        str(each.get("errorCode")) for each in error.get("details") or () if isinstance(each, dict)
    ]
    named = [code for code in codes if code != "None"] or [str(error.get("status") or "")]
    return f"{named[0]}: {error.get('message') or ''}"
