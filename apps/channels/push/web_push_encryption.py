"""A browser's message as only that browser can read it (RFC 8291),
and who we are to its push service (RFC 8292).
"""

import base64
import os
import struct
from dataclasses import dataclass
from functools import cached_property

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.utils.translation import gettext

from apps.lib.pem import private_key

RECORD = 4096  # the record and its header; push services need not take more (RFC 8030 7.2)
LONGEST = (
    RECORD - 86 - 1 - 16
)  # 3993 bytes of plaintext: less the header, the end mark and the tag of AES-GCM
CURVE = ec.SECP256R1()


class BadKeys(ValueError):
    """No such keys; the text says which one and why."""


def unbase64(text: str) -> bytes:
    """Base64url without padding, as browsers write it; the other alphabet and padding too.
    Raises BadKeys.
    """
    plain = text.strip().rstrip("=").translate({ord("+"): "-", ord("/"): "_"})
    try:
        found = base64.b64decode(plain + "=" * (-len(plain) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise BadKeys(gettext("It is not base64url.")) from None
    return found


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class Browser:
    """Browser's half of the keys: `public` is an uncompressed point of P-256 (65 bytes),
    `auth` a secret of 16 bytes.
    """

    public: bytes
    auth: bytes

    @classmethod
    def read(cls, p256dh: str, auth: str) -> "Browser":
        """Keys as `PushSubscription.toJSON().keys` has them. Raises BadKeys."""
        browser = cls(unbase64(p256dh), unbase64(auth))
        if len(browser.auth) != 16:
            raise BadKeys(f"auth has {len(browser.auth)} bytes instead of 16.")
        browser.point()
        return browser

    def point(self) -> ec.EllipticCurvePublicKey:
        try:  # one that is not on the curve would tell about our key (RFC 7748 has the story)
            return ec.EllipticCurvePublicKey.from_encoded_point(CURVE, self.public)
        except ValueError:
            raise BadKeys("p256dh is no point of the curve P-256.") from None


def encrypt(
    plaintext: bytes,
    browser: Browser,
    *,
    salt: bytes | None = None,
    key: ec.EllipticCurvePrivateKey | None = None,
) -> bytes:
    """The body of the request: one record of aes128gcm (RFC 8188).

    `salt` (16 bytes) and `key` are made anew.

    Raises ValueError where there is more than LONGEST.
    """
    if len(plaintext) > LONGEST:
        raise ValueError(f"It has {len(plaintext):,} bytes; a push message holds {LONGEST:,}.")
    salt = salt or os.urandom(16)
    key = key or ec.generate_private_key(CURVE)
    ours = _point_of(key)
    shared = key.exchange(ec.ECDH(), browser.point())
    secret = _derived(
        shared, salt=browser.auth, info=b"WebPush: info\0" + browser.public + ours, length=32
    )
    content_key = _derived(secret, salt=salt, info=b"Content-Encoding: aes128gcm\0", length=16)
    nonce = _derived(secret, salt=salt, info=b"Content-Encoding: nonce\0", length=12)
    header = salt + struct.pack("!IB", RECORD, len(ours)) + ours
    return header + AESGCM(content_key).encrypt(nonce, plaintext + b"\x02", None)


def _derived(secret: bytes, *, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(secret)


def _point_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


# ------------------------------------------------------------------ who we are
@dataclass(frozen=True)
class Vapid:
    """Our key pair: browsers subscribe with its public half,
    and push services believe the private one.
    """

    private: ec.EllipticCurvePrivateKey

    @classmethod
    def read(cls, text: str) -> "Vapid":
        """A PEM, or the number itself in base64url as other tools write it. Raises BadKeys."""
        try:
            if "-----BEGIN" in text:
                key = private_key(text)
            else:
                key = ec.derive_private_key(int.from_bytes(unbase64(text)), CURVE)
        except ValueError:
            raise BadKeys(gettext("It is neither a PEM nor 32 bytes in base64url.")) from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != CURVE.name:
            raise BadKeys(gettext("It is not of the curve P-256."))
        return cls(key)

    @cached_property
    def public(self) -> str:
        """What a browser subscribes with (`applicationServerKey`), as base64url."""
        return base64url(_point_of(self.private))

    def signed(self, *, audience: str, subject: str, expires: int) -> str:
        """The `Authorization` header for one push service.

        `audience` is its origin, `expires` Unix seconds, a day ahead at most.
        """
        claims = {"aud": audience, "exp": expires, "sub": subject}
        return f"vapid t={jwt.encode(claims, self.private, algorithm='ES256')}, k={self.public}"


def new_private_key() -> str:
    """A new key of ours, as base64url."""
    key = ec.generate_private_key(CURVE)
    return base64url(key.private_numbers().private_value.to_bytes(32))
