"""What a core of this machine takes for work that is not ours: a figure beside it can be compared
with that of another machine, or of another hour.
"""

import time
from collections.abc import Callable

from bench import newsletter

SIGNATURES = 200
MAILS = 100


def rsa_2048() -> float:
    """Seconds of processor time of one RSA-2048 signature: C without any memory or system call."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return _each(lambda: key.sign(b"bench", padding.PKCS1v15(), hashes.SHA256()), SIGNATURES)


def django_mail() -> float:
    """Seconds of processor time in which Django writes one mail as MIME: Python, as ours is."""
    from django.core.mail import EmailMultiAlternatives

    def write() -> None:
        message = EmailMultiAlternatives(
            newsletter.SUBJECT, newsletter.text(), newsletter.SENDER[1], ["reader@example.net"]
        )
        message.attach_alternative(newsletter.html(), "text/html")
        message.message().as_bytes()

    return _each(write, MAILS)


def _each(act: Callable[[], object], times: int) -> float:
    act()
    began = time.process_time()
    for _ in range(times):
        act()
    return (time.process_time() - began) / times
