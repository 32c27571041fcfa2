"""NetBIOS name service: the node status of `*`, a machine's table of its names (RFC 1002, 4.2.17)."""

from __future__ import annotations

import secrets
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from netvigil.probing.speak.answer import Answer
from netvigil.probing.speak.keyed import KeyedProtocol

if TYPE_CHECKING:
    from ipaddress import IPv4Address

_HEADER: Final = struct.Struct(">6H")
_STATUS: Final = 0x21
_INTERNET: Final = 1
# `*` and fifteen zeros, each half byte as a letter from A on (RFC 1001, 14.1).
_ANY_NAME: Final = b"\x20CK" + b"A" * 30 + b"\0"
_RECORD: Final = struct.Struct(">2HIH")
_ENTRY: Final = struct.Struct(">15sBH")
_MAC_SIZE: Final = 6
_GROUP: Final = 0x8000
_RESPONSE: Final = 0x8000
_WORKSTATION: Final = 0x00
_SERVER: Final = 0x20
_CONTROLLERS: Final = 0x1C
_NAME_END: Final = 256


class _Name(NamedTuple):
    text: str
    suffix: int
    group: bool


def request(_: IPv4Address) -> bytes:
    """A node status request."""
    return (
        _HEADER.pack(secrets.randbelow(0x10000), 0, 1, 0, 0, 0)
        + _ANY_NAME
        + struct.pack(">2H", _STATUS, _INTERNET)
    )


def key(data: bytes) -> bytes | None:
    """The message's id."""
    return data[:2] if len(data) >= _HEADER.size else None


def parse(data: bytes) -> Answer | None:
    """The machine's name, its workgroup or domain and its MAC; Samba gives a MAC of zeros, and so itself away."""
    table = _find_table(data)
    if not table:
        return None
    count = table[0]
    end = 1 + count * _ENTRY.size
    if end > len(table):
        return None
    names = [_read_name(*_ENTRY.unpack_from(table, at)) for at in range(1, end, _ENTRY.size)]
    hostname = _pick(names, group=False)
    workgroup = _pick(names, group=True)
    unit = table[end : end + _MAC_SIZE]
    samba = unit == bytes(_MAC_SIZE)
    facts = {
        "names": " ".join(f"{name.text}<{name.suffix:02x}>" for name in names),
        **({"workgroup": workgroup} if workgroup else {}),
        **({"domain_controller": "yes"} if any(n.suffix == _CONTROLLERS and n.group for n in names) else {}),
    }
    return Answer(
        "netbios-ns",
        "\n".join(name.text for name in names).encode(),
        "Samba nmbd netbios-ns" if samba else None,
        extra_info=f"workgroup: {workgroup}" if workgroup else None,
        hostname=hostname,
        mac=unit.hex(":").upper() if len(unit) == _MAC_SIZE and any(unit) and not unit[0] & 1 else None,
        cpes=("cpe:/a:samba:samba",) if samba else (),
        facts=facts,
        complete=True,
    )


def _find_table(data: bytes) -> bytes | None:
    """The data of the status record: a count, the names, then statistics that begin with the MAC."""
    if len(data) < _HEADER.size or not _HEADER.unpack_from(data)[1] & _RESPONSE:
        return None
    # The question is not repeated (count 0), but some repeat it; both end a name with a zero.
    at = _HEADER.size
    for _ in range(_HEADER.unpack_from(data)[2] % 2):
        at = data.find(b"\0", at, at + _NAME_END) + 5
        if at < _HEADER.size:
            return None
    pointer = data[at : at + 1] >= b"\xc0"
    name_end = at + 1 if pointer else data.find(b"\0", at, at + _NAME_END)
    start = name_end + 1 + _RECORD.size
    if name_end < 0 or start > len(data):
        return None
    kind, _, _, length = _RECORD.unpack_from(data, name_end + 1)
    return data[start : start + length] if kind == _STATUS else None


def _read_name(text: bytes, suffix: int, flags: int) -> _Name:
    return _Name(text.rstrip(b" \0").decode("utf-8", "replace"), suffix, bool(flags & _GROUP))


def _pick(names: list[_Name], *, group: bool) -> str | None:
    for suffix in (_WORKSTATION, _SERVER):
        for name in names:
            if name.group == group and name.suffix == suffix and name.text and name.text.isprintable():
                return name.text
    return None


PROTOCOL = KeyedProtocol("netbios-ns", 137, request, parse, key=key)
