"""PURE: what one service said of itself, as its protocol's module understood it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Answer:
    """What a protocol's module learnt from one port. All strings are the device's own and not yet cleaned.

    `name` is the service's name as nmap writes it (`ssh`, `http`, `domain`, …); `product` and `version` are what the
    device states, as it states it (`OpenSSH`, `9.2p1 Debian-2+deb12u10`), None where it states none: never a guess.
    `banner`: its telling words (greeting, head and title of a page, sysDescr), from which products are identified
    later, so nothing that names a version may be missing from it. `extra_info`: nmap's field of that name, in
    parentheses there. `facts`: what else it told, by lower-case words with underscores (`title`, `server`, `realm`,
    `generator`, `favicon_mmh3`, `certificate_subject`, `sys_descr`, `identity`, `board`, `software_id`, `channel`,
    `dialect`, …).
    `mac` (upper case, colons), `hostname`, `os_name`, `model`, `device_type` speak of the whole host.
    `complete`: nobody could tell more from what was heard, so that nmap need not be asked.
    """

    name: str
    banner: bytes = b""
    product: str | None = None
    version: str | None = None
    extra_info: str | None = None
    os_name: str | None = None
    device_type: str | None = None
    hostname: str | None = None
    model: str | None = None
    mac: str | None = None
    cpes: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    complete: bool = False
