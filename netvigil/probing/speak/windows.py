"""PURE: what Windows says of itself in its protocols: builds, and the challenge of NTLM (MS-NLMP)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from netvigil.probing.speak.reader import Reader, ShortError

if TYPE_CHECKING:
    from collections.abc import Mapping

SIGNATURE: Final = b"NTLMSSP\0"
# Unicode, target's name asked for, NTLM, extended security, version, 128 and 56 bits: what Windows itself sends.
_FLAGS = 0xE2088297
# Windows 10's version, as every client states one.
NEGOTIATE: Final = SIGNATURE + struct.pack("<2I", 1, _FLAGS) + bytes(16) + b"\x0a\0\x63\x45\0\0\0\x0f"
_MAX_NAMES = 16
_MAX_NAME = 512
_VERSION_FLAG = 0x02000000
_NAMES = {
    1: "netbios_name",
    2: "netbios_domain",
    3: "dns_name",
    4: "dns_domain",
    5: "dns_forest",
}
# Releases that share a build; updates that only switch features on keep the build of the release below them.
_RELEASES: Final = {
    (5, 0, 2195): "Windows 2000",
    (5, 1, 2600): "Windows XP",
    (5, 2, 3790): "Windows Server 2003",
    (6, 0, 6000): "Windows Vista",
    (6, 0, 6001): "Windows Vista SP1 or Server 2008",
    (6, 0, 6002): "Windows Vista SP2 or Server 2008 SP2",
    (6, 0, 6003): "Windows Server 2008 SP2",
    (6, 1, 7600): "Windows 7 or Server 2008 R2",
    (6, 1, 7601): "Windows 7 SP1 or Server 2008 R2 SP1",
    (6, 2, 9200): "Windows 8 or Server 2012",
    (6, 3, 9600): "Windows 8.1 or Server 2012 R2",
    (10, 0, 10240): "Windows 10 1507",
    (10, 0, 10586): "Windows 10 1511",
    (10, 0, 14393): "Windows 10 1607 or Server 2016",
    (10, 0, 15063): "Windows 10 1703",
    (10, 0, 16299): "Windows 10 1709 or Server 1709",
    (10, 0, 17134): "Windows 10 1803 or Server 1803",
    (10, 0, 17763): "Windows 10 1809 or Server 2019",
    (10, 0, 18362): "Windows 10 1903 or 1909",
    (10, 0, 19041): "Windows 10 2004 to 22H2",
    (10, 0, 20348): "Windows Server 2022",
    (10, 0, 22000): "Windows 11 21H2",
    (10, 0, 22621): "Windows 11 22H2 or 23H2",
    (10, 0, 25398): "Windows Server 23H2",
    (10, 0, 26100): "Windows 11 24H2 or later, or Server 2025",
}


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a server tells in NTLM's second message; `version` is (major, minor, build), None where it has none.

    `names` by fact: `netbios_name`, `netbios_domain`, `dns_name`, `dns_domain`, `dns_forest`.
    """

    version: tuple[int, int, int] | None = None
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def hostname(self) -> str | None:
        """The name of the machine, in full where DNS' begins like NetBIOS', which on Samba may be another one."""
        full, short = self.names.get("dns_name"), self.names.get("netbios_name")
        if full and short and not full.lower().startswith(short.lower()):
            return short
        return full or short

    @property
    def is_samba(self) -> bool:
        """Samba states Windows 7's version and a build that no Windows has."""
        return self.version == (6, 1, 0)

    @property
    def build(self) -> str | None:
        """`10.0.17763` of a Windows; None for Samba and for what states none."""
        return None if self.version is None or self.version[2] == 0 else ".".join(map(str, self.version))

    @property
    def release(self) -> str | None:
        """The releases of Windows that have this build; None for one that we do not know."""
        return _RELEASES.get(self.version) if self.version is not None else None


def find_challenge(data: bytes) -> Challenge | None:
    """The first NTLM challenge within bytes, whatever wraps it (SPNEGO, CredSSP); None when there is none."""
    start = data.find(SIGNATURE + b"\x02\0\0\0")
    if start < 0:
        return None
    message = data[start : start + 8192]
    reader = Reader(message, 12, "little")
    try:
        reader.skip(8)  # the target's name
        flags = reader.number(4)
        reader.skip(8 + 8)  # challenge, reserved
        length = reader.number(2)
        reader.skip(2)
        at = reader.number(4)
        version = None
        if flags & _VERSION_FLAG:
            version = (reader.number(1), reader.number(1), reader.number(2))
    except ShortError:
        return None
    return Challenge(version, _names(message[at : at + length]))


def _names(data: bytes) -> dict[str, str]:
    names: dict[str, str] = {}
    reader = Reader(data, 0, "little")
    try:
        for _ in range(_MAX_NAMES):
            kind, size = reader.number(2), reader.number(2)
            value = reader.take(size)
            if kind == 0:
                break
            if kind in _NAMES and (words := utf16(value)):
                names[_NAMES[kind]] = words
    except ShortError:
        pass
    return names


def utf16(data: bytes) -> str:
    """Windows' words, to the first NUL; what is no UTF-16 shows as U+FFFD."""
    return data[:_MAX_NAME].decode("utf-16-le", "replace").split("\0", 1)[0].strip()
