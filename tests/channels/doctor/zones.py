"""A name server on this machine, over UDP, with the names that a test writes down."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset

from apps.channels.doctor.lookup import Names

# A name -> its records, as "TXT words", "MX 10 host", "A 192.0.2.1"; the word "SERVFAIL" alone
# makes the server fail for it.
Zones = dict[str, list[str]]


@contextmanager
def served(zones: Zones) -> Iterator[Names]:
    with name_server(zones) as place:
        yield Names([place])


@contextmanager
def name_server(zones: Zones) -> Iterator[str]:
    """Serve the zones, at the host and port given."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.bind(("127.0.0.1", 0))
        thread = Thread(target=_answer, args=(door, zones), daemon=True)
        thread.start()
        host, port = door.getsockname()
        try:
            yield f"{host}:{port}"
        finally:
            door.sendto(b"", door.getsockname())
            thread.join()


def _answer(door: socket.socket, zones: Zones) -> None:
    while True:
        asked, who = door.recvfrom(4096)
        if not asked:
            return
        query = dns.message.from_wire(asked)
        door.sendto(_reply(query, zones).to_wire(max_size=65535), who)


def _reply(query: dns.message.Message, zones: Zones) -> dns.message.Message:
    reply = dns.message.make_response(query)
    reply.flags |= dns.flags.RA
    question = query.question[0]
    name = question.name.to_text().rstrip(".").lower()
    below = any(each.endswith("." + name) for each in zones)
    if name not in zones and not below:
        reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply
    rows = zones.get(name, [])
    if "SERVFAIL" in rows:
        reply.set_rcode(dns.rcode.SERVFAIL)
        return reply
    for row in rows:
        kind, _, words = row.partition(" ")
        if kind == "TXT":
            words = " ".join(f'"{words[at : at + 255]}"' for at in range(0, len(words), 255))
        if kind == dns.rdatatype.to_text(question.rdtype):
            data = dns.rdata.from_text("IN", kind, words, origin=dns.name.root, relativize=False)
            answer = dns.rrset.from_rdata(question.name, 60, data)
            reply.answer.append(answer)
    return reply
