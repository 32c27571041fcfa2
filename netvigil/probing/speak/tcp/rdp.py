"""Remote desktop: which security the server wants, and by the names it shows before a login, who it is (MS-RDPBCGR)."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING

from netvigil.probing.speak.answer import Answer
from netvigil.probing.speak.ber import OCTET_STRING, SEQUENCE, encode, encode_integer
from netvigil.probing.speak.exchange import ask_message, unspoken
from netvigil.probing.speak.protocol import TcpProtocol
from netvigil.probing.speak.windows import NEGOTIATE, find_challenge

if TYPE_CHECKING:
    from netvigil.probing.speak.line import Line

_TLS, _HYBRID, _HYBRID_EX = 1, 2, 8
_HEAD = 4  # TPKT: version 3, a zero, the length of all
_CONFIRM = 0xD0
_MAX_CONFIRM = 64
_NEGOTIATION = struct.pack("<BBHI", 1, 0, 8, _TLS | _HYBRID | _HYBRID_EX)
_REQUEST = b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0" + _NEGOTIATION
_RESPONSE, _FAILURE = 2, 3
_SECURITY = {
    0: "rdp",
    _TLS: "tls",
    _HYBRID: "credssp",
    4: "rdstls",
    _HYBRID_EX: "credssp with early result",
    16: "aad",
}
_FAILURES = {
    1: "tls required",
    2: "tls not allowed",
    3: "no certificate",
    4: "inconsistent flags",
    5: "credssp required",
    6: "tls with client certificate required",
}
_WINDOWS_REFERENCE = 0x1234
_VIRTUALBOX_REFERENCE = 0x3412
_WINDOWS_CPE = ("cpe:/o:microsoft:windows",)


def recognise(data: bytes) -> bool:
    """Whether bytes are an X.224 connection confirm."""
    return parse(data) is not None


async def converse(line: Line, heard: bytes) -> Answer | None:
    """Ask for a connection; where the server wants a login first, hear in TLS by which names it would be asked."""
    known = parse(heard) if heard else None
    async with unspoken(line, heard) as fresh:
        if fresh is None:
            return known
        answer = parse(await ask_message(fresh, _REQUEST, _HEAD, _size, limit=_MAX_CONFIRM))
        if answer is None:
            return known
        if answer.facts.get("security", "").startswith("credssp") and await fresh.start_tls():
            token = encode(0xA0, encode(OCTET_STRING, NEGOTIATE))
            tokens = encode(0xA1, encode(SEQUENCE, encode(SEQUENCE, token)))
            request = encode(SEQUENCE, encode(0xA0, encode_integer(6)) + tokens)
            answer = with_challenge(answer, await ask_message(fresh, request, 4, _missing))
    return answer


def _size(head: bytes) -> int:
    return int.from_bytes(head[2:4], "big") - _HEAD if head[:2] == b"\x03\0" else 0


def _missing(head: bytes) -> int:
    """How many bytes of a TSRequest follow its first four."""
    tag, short, *long = head
    if tag != SEQUENCE:
        return 0
    if short < 0x80:  # noqa: PLR2004 - a length of one byte
        return short - 2
    return long[0] - 1 if short == 0x81 else int.from_bytes(long, "big") if short == 0x82 else 0  # noqa: PLR2004


def parse(said: bytes) -> Answer | None:
    """What a connection confirm says: protocols, and by its reference whose server it is (X.224, 13.4)."""
    size = int.from_bytes(said[2:4], "big")
    if not 11 <= size <= min(len(said), _MAX_CONFIRM) or said[:2] != b"\x03\0":  # noqa: PLR2004 - the shortest confirm
        return None
    if said[5] != _CONFIRM or said[4] != size - 5 or said[6:8] != b"\0\0":
        return None
    reference = int.from_bytes(said[8:10], "big")
    facts: dict[str, str] = {}
    if size >= 19 and said[13:15] == b"\x08\0":  # noqa: PLR2004 - with the answer to our offer
        value = int.from_bytes(said[15:19], "little")
        if said[11] == _RESPONSE:
            facts["security"] = _SECURITY.get(value, f"{value:#x}")
        elif said[11] == _FAILURE:
            facts["refusal"] = _FAILURES.get(value, str(value))
    else:
        facts["security"] = _SECURITY[0]
    if reference == _WINDOWS_REFERENCE:
        return Answer(
            "ms-wbt-server",
            product="Microsoft Terminal Services",
            os_name="Windows",
            cpes=_WINDOWS_CPE,
            facts=facts,
            complete=True,
        )
    if reference == _VIRTUALBOX_REFERENCE:
        return Answer(
            "ms-wbt-server", product="VirtualBox VM Remote Desktop Service", facts=facts, complete=True
        )
    if reference == 0 and size == 11:  # noqa: PLR2004 - it knows nothing of negotiation
        return Answer(
            "ms-wbt-server", product="xrdp", cpes=("cpe:/a:neutrinolabs:xrdp",), facts=facts, complete=True
        )
    return Answer("ms-wbt-server", facts=facts)


def with_challenge(answer: Answer, said: bytes) -> Answer:
    """The answer with the names and the build that the server shows before it asks for a password."""
    challenge = find_challenge(said)
    if challenge is None:
        return answer
    facts = {**answer.facts, **challenge.names}
    answer = replace(answer, hostname=challenge.hostname, facts=facts)
    if challenge.build is None or not answer.product:
        return answer
    facts["os_build"] = challenge.build
    return replace(answer, os_name=challenge.release or "Windows", facts=facts)


PROTOCOL = TcpProtocol(
    "ms-wbt-server",
    frozenset({3389}),
    converse,
    recognises=recognise,
    # It says nothing to a web request, and is moved to another port to hide it more than any other.
    anywhere=True,
)
