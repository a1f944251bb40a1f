"""Whose push endpoints we write to: a browser sends us the address,
a stranger's word until its host is known.
"""

import re
from collections.abc import Iterable

from apps.lib.network.host_name import split_address

_PLAIN = re.compile(
    r"[!#-\[\]^-~]+"
)  # printable ASCII, but neither " nor \ nor `: URL parsers disagree about those
_HOST = re.compile(r"[a-z0-9.-]+(:[0-9]+)?")
LOCAL = "127.0.0.1"  # of development and tests


class BadEndpoint(ValueError):
    """Nothing is posted there; the text says why."""


def origin_of(endpoint: str, services: Iterable[str]) -> str:
    """Origin `https://host`, the host being one of the services or below one.

    Raises BadEndpoint.
    The host is taken from the parsed address:
    a pattern over all of it would let https://10.0.0.1/x.google.com/ pass.
    """
    parts = None
    if _PLAIN.fullmatch(endpoint):
        parts = split_address(endpoint)
    if parts is None or not _HOST.fullmatch(parts.netloc):
        raise BadEndpoint("The endpoint is no plain web address.")
    host = parts.hostname or ""
    if not any(host == service or host.endswith(f".{service}") for service in services):
        raise BadEndpoint(
            f"{host} is no push service we know. PUSH_SERVICES lists those that we write to."
        )
    if host != LOCAL and (parts.scheme != "https" or ":" in parts.netloc):
        raise BadEndpoint("The endpoint must begin with https:// and have no port.")
    return f"{parts.scheme}://{parts.netloc}"
