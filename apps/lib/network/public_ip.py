"""Which IP addresses are of the open internet: none that IANA has set aside for something else.

Written out, as Python's own `is_global` knows what its release knew. Sources: the IANA IPv4 and
IPv6 Special-Purpose Address Registries, and the multicast and unicast spaces beside them.
"""

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _networks(*texts: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(map(ipaddress.ip_network, texts))


_SPECIAL = _networks(
    "0.0.0.0/8",  # this network
    "10.0.0.0/8",  # private
    "100.64.0.0/10",  # carriers' own
    "127.0.0.0/8",  # this machine
    "168.63.129.16/32",  # Azure's host, in no registry
    "169.254.0.0/16",  # link-local, and the clouds' metadata
    "172.16.0.0/12",  # private
    "192.0.0.0/24",  # protocols, and Oracle's metadata
    "192.0.2.0/24",  # for documents
    "192.31.196.0/24",  # AS112
    "192.52.193.0/24",  # AMT
    "192.88.99.0/24",  # 6to4 relays
    "192.168.0.0/16",  # private
    "192.175.48.0/24",  # AS112
    "198.18.0.0/15",  # measuring
    "198.51.100.0/24",  # for documents
    "203.0.113.0/24",  # for documents
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved, broadcast
    "2001::/23",  # protocols: Teredo, ORCHID and others
    "2001:db8::/32",  # for documents
    "2002::/16",  # 6to4: hides an IPv4 address
    "2620:4f:8000::/48",  # AS112
    "3fff::/20",  # for documents
)
# All of IPv6 that is given out: outside lie ::1, 64:ff9b:1::, 100::, 5f00::, fc00::, fe80::, ff00::
_UNICAST = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: the public way to an IPv4 address


def is_public(text: str) -> bool:
    """Whether an IP address is one of the open internet."""
    ip = _meant(ipaddress.ip_address(text.partition("%")[0]))
    if ip.version == 6 and ip not in _UNICAST:
        return False
    return not any(ip in network for network in _SPECIAL)


def _meant(ip: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, by RFC 4291 or RFC 6052; else the same."""
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return ip.ipv4_mapped
        if ip in _NAT64:
            return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip
