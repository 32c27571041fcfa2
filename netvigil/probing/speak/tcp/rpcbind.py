"""Sun RPC's port mapper: the programs that a host offers, as `rpcinfo` lists them (RFC 1833, 3)."""

from __future__ import annotations

import secrets
import struct
from typing import TYPE_CHECKING

from netvigil.probing.speak.answer import Answer
from netvigil.probing.speak.exchange import ask_message
from netvigil.probing.speak.protocol import TcpProtocol
from netvigil.probing.speak.reader import Reader, ShortError

if TYPE_CHECKING:
    from netvigil.probing.speak.line import Line

_HEAD = 4  # a record's length, with a bit that it is the last
_LAST = 0x80000000
_MAPPER, _VERSION, _DUMP = 100000, 2, 4
_MAX_PROGRAMS = 128
_MAX_SHOWN = 40
_TRANSPORTS = {6: "tcp", 17: "udp"}
_PROGRAMS = {
    100000: "rpcbind",
    100001: "rstatd",
    100002: "rusersd",
    100003: "nfs",
    100004: "ypserv",
    100005: "mountd",
    100007: "ypbind",
    100009: "yppasswd",
    100011: "rquotad",
    100021: "nlockmgr",
    100024: "status",
    100227: "nfs_acl",
    391002: "sgi_fam",
}


async def converse(line: Line, heard: bytes) -> Answer | None:
    """One call; a server says nothing by itself, so whatever was heard is not RPC."""
    if heard:
        return None
    number = secrets.randbits(32)
    call = struct.pack(">6I", number, 0, 2, _MAPPER, _VERSION, _DUMP) + bytes(16)  # nobody's credentials
    request = struct.pack(">I", _LAST | len(call)) + call
    return parse(await ask_message(line, request, _HEAD, _size), number)


def _size(head: bytes) -> int:
    return int.from_bytes(head, "big") & ~_LAST


def parse(said: bytes, number: int) -> Answer | None:
    """What the reply of that number says; the first record of it, cut where a program is not whole."""
    reader = Reader(said, _HEAD)
    try:
        if reader.number(4) != number or reader.number(4) != 1:
            return None
        denied = reader.number(4)
        if denied not in (0, 1):
            return None
        if denied:
            return Answer("rpcbind", extra_info="access denied", facts={"reply": "denied"}, complete=True)
        reader.skip(4)
        reader.skip(reader.number(4))  # its verifier
        accepted = reader.number(4)
    except ShortError:
        return None
    if accepted:
        return Answer("rpcbind", facts={"reply": f"error {accepted}"}) if accepted <= 5 else None  # noqa: PLR2004
    return _described(_programs(reader))


def _programs(reader: Reader) -> list[tuple[int, int, int, int]]:
    programs: list[tuple[int, int, int, int]] = []
    try:
        while len(programs) < _MAX_PROGRAMS and reader.number(4) == 1:
            programs.append((reader.number(4), reader.number(4), reader.number(4), reader.number(4)))
    except ShortError:
        pass
    return programs


def _described(programs: list[tuple[int, int, int, int]]) -> Answer:
    offered: dict[tuple[int, int, int], set[int]] = {}
    for program, version, transport, port in programs:
        offered.setdefault((program, transport, port), set()).add(version)
    shown = [
        f"{_PROGRAMS.get(program, program)} {_range(versions)} {_TRANSPORTS.get(transport, transport)}/{port}"
        for (program, transport, port), versions in list(offered.items())[:_MAX_SHOWN]
    ]
    own = {version for program, version, _, _ in programs if program == _MAPPER}
    return Answer(
        "rpcbind",
        "\n".join(shown).encode(),
        None,
        _range(own) if own else None,  # of the protocol, as nmap shows it
        f"RPC #{_MAPPER}",
        facts={"programs": ", ".join(shown)} if shown else {},
        complete=True,
    )


def _range(versions: set[int]) -> str:
    low, high = min(versions), max(versions)
    return str(low) if low == high else f"{low}-{high}"


PROTOCOL = TcpProtocol("rpcbind", frozenset({111}), converse)
