"""DNS over TCP (RFC 7766): ask the server for its version, as over UDP."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from netvigil.probing.speak.dns_message import CH, TXT, encode_query
from netvigil.probing.speak.exchange import ask_message
from netvigil.probing.speak.protocol import TcpProtocol
from netvigil.probing.speak.udp import dns

if TYPE_CHECKING:
    from netvigil.probing.speak.answer import Answer
    from netvigil.probing.speak.line import Line

_HEAD = 2  # a message's length, and as many bytes its number behind it


async def converse(line: Line, heard: bytes) -> Answer | None:
    """One question; a server says nothing by itself, so whatever was heard is not DNS."""
    if heard:
        return None
    number = secrets.randbelow(1 << 16)
    query = encode_query(number, "version.bind", TXT, CH)
    framed = len(query).to_bytes(_HEAD, "big") + query
    return parse(await ask_message(line, framed, _HEAD, lambda head: int.from_bytes(head, "big")), number)


def parse(said: bytes, number: int) -> Answer | None:
    """What a message behind its length says; None when it is no response to our question of that number."""
    message = said[_HEAD:]
    if len(message) < int.from_bytes(said[:_HEAD], "big") or message[:2] != number.to_bytes(2, "big"):
        return None
    answer = dns.parse(message)
    # Who refuses this refuses it to everybody; nmap then names a server that it cannot know.
    return replace(answer, complete=True) if answer is not None else None


PROTOCOL = TcpProtocol("domain", frozenset({53, 853}), converse, anywhere=True)
