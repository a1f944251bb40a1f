"""Google's access token for a service account: asked for once an hour,
whatever number of connections want it.
"""

import threading
import time
from dataclasses import dataclass, field
from typing import Any

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from django.utils.translation import gettext

from apps.channels.contract import BadSettings
from apps.channels.https.wire import Wire
from apps.lib import strict_json
from apps.lib.network.host_name import split_address
from apps.lib.pem import BadPem, private_key

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
EARLY = 300.0  # seconds before its end a token is replaced: a call with it may take a while
LIFE = 3600


class NoToken(Exception):
    """The token endpoint gave none. `status` 0: it can't be reached."""

    def __init__(self, said: str, status: int = 0, retry_after: str | None = None) -> None:
        super().__init__(said)
        self.status = status
        self.retry_after = retry_after


@dataclass(frozen=True)
class ServiceAccount:
    """What Google's console gives as a JSON file."""

    project: str
    email: str
    key: RSAPrivateKey = field(compare=False, repr=False)
    key_id: str
    token_url: str

    @classmethod
    def read(cls, text: str) -> "ServiceAccount":
        """Raises BadSettings."""
        try:
            found = strict_json.read(text)
            names = ("project_id", "client_email", "private_key", "token_uri")
            project, email, pem, url = (str(found[name]) for name in names)
        except (ValueError, KeyError, TypeError):  # BadJson is a ValueError
            raise BadSettings(
                gettext("This is no service account: paste the whole JSON file of its key.")
            ) from None
        try:
            key = private_key(pem)
        except BadPem as error:
            said = gettext("The private key of the service account {why}").format(why=error)
            raise BadSettings(said) from error
        if not isinstance(key, RSAPrivateKey):
            raise BadSettings(gettext("The private key of the service account is not RSA."))
        parts = split_address(url)
        if parts.scheme != "https" and parts.hostname != "127.0.0.1":
            said = gettext(
                "The token_uri of the service account must begin with https://, got “{url}”."
            )
            raise BadSettings(said.format(url=url))
        return cls(project, email, key, str(found.get("private_key_id") or ""), url)


@dataclass
class _Held:
    lock: threading.Lock = field(default_factory=threading.Lock)
    token: str = ""
    until: float = 0.0  # monotonic


_held: dict[ServiceAccount, _Held] = {}


def token_of(account: ServiceAccount, *, timeout: tuple[float, float]) -> str:
    """A token that is good for some minutes more.

    Threads that come while it is asked for wait. Raises NoToken.
    """
    held = _held.setdefault(account, _Held())
    with held.lock:
        if time.monotonic() >= held.until:
            held.token, seconds = _asked(account, timeout)
            held.until = time.monotonic() + max(0.0, seconds - EARLY)
        return held.token


def forget(account: ServiceAccount, token: str) -> None:
    """Forget a token that was refused: the next one asks anew."""
    held = _held.setdefault(account, _Held())
    with held.lock:
        if held.token == token:
            held.until = 0.0


def _asked(account: ServiceAccount, timeout: tuple[float, float]) -> tuple[str, float]:
    """RFC 7523."""
    now = int(time.time())
    claims = {
        "iss": account.email,
        "scope": SCOPE,
        "aud": account.token_url,
        "iat": now,
        "exp": now + LIFE,
    }
    assertion = jwt.encode(claims, account.key, algorithm="RS256", headers={"kid": account.key_id})
    with Wire() as wire:
        try:
            answer = wire.post(
                account.token_url,
                data={"grant_type": GRANT, "assertion": assertion},
                timeout=timeout,
            )
        except requests.RequestException as error:
            raise NoToken(
                f"{account.token_url} can't be reached: {type(error).__name__}"
            ) from error
    try:
        found: Any = answer.json()
        return str(found["access_token"]), float(found.get("expires_in") or LIFE)
    except (ValueError, KeyError, TypeError):
        raise NoToken(answer.text, answer.status_code, answer.headers.get("Retry-After")) from None
