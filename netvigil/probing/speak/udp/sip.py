"""SIP: OPTIONS, by which a client asks what a phone or exchange can do; it names itself in its headers (RFC 3261, 11)."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Final

from netvigil.probing.speak.answer import Answer
from netvigil.probing.speak.keyed import KeyedProtocol

if TYPE_CHECKING:
    from ipaddress import IPv4Address

_STATUS: Final = re.compile(rb"SIP/2\.0 (\d{3}) ?([^\r\n]{0,100})")
_SEQUENCE: Final = re.compile(rb"^CSeq[ \t]{0,8}:[ \t]{0,8}(\d{1,10})", re.IGNORECASE | re.MULTILINE)
_AGENT: Final = re.compile(
    rb"^(?:User-Agent|Server)[ \t]{0,8}:[ \t]{0,8}([^\r\n]{1,300})", re.IGNORECASE | re.MULTILINE
)
# The first number with a dot that follows a name: `Yealink SIP-T46S 66.84.0.15`, `Asterisk PBX 18.2.0`, `FPBX-16.0.40(18.9)`.
_NAMED: Final = re.compile(r"(.{1,100}?)[ /(-]{1,3}v?(\d{1,5}(?:\.\d{1,6})+[\w.~+-]{0,40})")
_MAX_HEAD: Final = 8192
_MAX_SEQUENCE: Final = 2**31 - 1


def request(address: IPv4Address) -> bytes:
    """An OPTIONS request to the host itself, of nobody; `rport` has it answered to where it came from (RFC 3581)."""
    token = secrets.token_hex(8)
    return (
        f"OPTIONS sip:{address} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP netvigil.invalid:5060;branch=z9hG4bK{token};rport\r\n"
        "Max-Forwards: 70\r\n"
        f"From: <sip:options@netvigil.invalid>;tag={token[:8]}\r\n"
        f"To: <sip:{address}>\r\n"
        f"Call-ID: {token}@netvigil.invalid\r\n"
        f"CSeq: {secrets.randbelow(_MAX_SEQUENCE) + 1} OPTIONS\r\n"
        "Contact: <sip:options@netvigil.invalid>\r\n"
        "Accept: application/sdp\r\n"
        "Content-Length: 0\r\n\r\n"
    ).encode("ascii")


def key(data: bytes) -> bytes | None:
    """The sequence number, the one thing that even careless phones repeat."""
    found = _SEQUENCE.search(data[:_MAX_HEAD])
    return found[1] if found else None


def parse(data: bytes) -> Answer | None:
    """What the status line and `User-Agent` or `Server` say."""
    head = data[:_MAX_HEAD].partition(b"\r\n\r\n")[0]
    status = _STATUS.match(head)
    if status is None:
        return None
    facts = {"status": f"{status[1].decode()} {status[2].decode('utf-8', 'replace')}".strip()}
    said = _AGENT.search(head)
    if said is None:
        return Answer("sip", status[0], extra_info=f"Status: {facts['status']}", facts=facts)
    agent = said[1].decode("utf-8", "replace").strip()
    named = _NAMED.match(agent)
    product = named[1].rstrip("/-( ") if named else agent
    return Answer(
        "sip",
        said[0],
        product,
        named[2].rstrip(".-") if named else None,
        f"Status: {facts['status']}",
        facts={**facts, "user_agent": agent},
        complete=named is not None,
    )


PROTOCOL = KeyedProtocol("sip", 5060, request, parse, key=key)
