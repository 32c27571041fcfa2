"""PURE: what an SNMP agent's description (`sysDescr`) says of product and version, one row a maker's way to write it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from netvigil.probing.speak.snmp_vendors import MIKROTIK, NET_SNMP, VENDORS

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_TEXT: Final = 1024


class System(NamedTuple):
    """What a description names; fields as in `Answer`."""

    product: str | None = None
    version: str | None = None
    extra_info: str | None = None
    os_name: str | None = None
    device_type: str | None = None
    model: str | None = None
    cpes: tuple[str, ...] = ()


def describe(text: str, enterprise: int | None) -> System:
    """The system that a description names; with nothing but a maker's number, that maker's agent."""
    text = text[:MAX_TEXT]
    for pattern, make in _ROWS:
        if found := pattern.search(text):
            return make(found)
    if enterprise == MIKROTIK:
        return System("MikroTik", model=text or None)
    if enterprise == NET_SNMP:
        return System("net-snmp", os_name=text.partition(" ")[0] or None, cpes=("cpe:/a:net-snmp:net-snmp",))
    if "JETDIRECT" in text:
        return System("HP JetDirect", device_type="printer")
    return System(f"{VENDORS[enterprise]} SNMP server") if enterprise in VENDORS else System()


def _routeros(found: re.Match[str]) -> System:
    return System("MikroTik RouterOS", os_name="RouterOS", device_type="router", model=found[1])


def _swos(found: re.Match[str]) -> System:
    return System("MikroTik SwOS", found[2], os_name="SwOS", device_type="switch", model=found[1])


def _cisco(found: re.Match[str]) -> System:
    said, version = found[0], found[1]
    if re.search(r"IOS.?XE", said):
        return System("Cisco IOS XE", version, os_name="IOS XE", cpes=(_cisco_cpe("ios_xe", version),))
    return System("Cisco IOS", version, os_name="IOS", cpes=(_cisco_cpe("ios", version),))


def _nexus(found: re.Match[str]) -> System:
    return System(
        "Cisco NX-OS", found[1], os_name="NX-OS", device_type="switch", cpes=(_cisco_cpe("nx-os", found[1]),)
    )


def _cisco_cpe(product: str, version: str) -> str:
    escaped = re.sub(r"([()])", r"\\\1", version.lower())
    return f"cpe:2.3:o:cisco:{product}:{escaped}:*:*:*:*:*:*:*"


def _asa(found: re.Match[str]) -> System:
    return System("Cisco Adaptive Security Appliance", found[1], os_name="ASA", device_type="firewall")


def _procurve(found: re.Match[str]) -> System:
    return System(f"HP {found[1].strip()}", found[2], device_type="switch", model=found[1].strip())


def _junos(found: re.Match[str]) -> System:
    return System("Juniper JUNOS", found[1], os_name="JUNOS")


def _pfsense(found: re.Match[str]) -> System:
    return System("pfSense", found[1], os_name="FreeBSD", device_type="firewall")


def _windows(found: re.Match[str]) -> System:
    said = f"Windows Version {found[1]} (Build {found[2]})"
    return System("Microsoft Windows", None, said, "Windows", cpes=("cpe:/o:microsoft:windows",))


def _aruba(found: re.Match[str]) -> System:
    return System("ArubaOS", found[2], os_name="ArubaOS", model=found[1])


def _arista(found: re.Match[str]) -> System:
    return System("Arista EOS", found[1], os_name="EOS", device_type="switch", model=found[2])


_ROWS: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], System]], ...]] = (
    (re.compile(r"^RouterOS ?(.{0,80})"), _routeros),
    (re.compile(r"^(?:MikroTik )?(C[RS]S[\w+-]{1,30}) SwOS v?(\d+\.\d+(?:\.\d+)?)"), _swos),
    (re.compile(r"Cisco NX-OS.{0,200}?Version ([\w.()]{1,40})", re.DOTALL), _nexus),
    (
        re.compile(r"Cisco (?:IOS|Internetwork Operating System).{0,300}?Version ([\w.()]{1,40})", re.DOTALL),
        _cisco,
    ),
    (re.compile(r"Cisco Adaptive Security Appliance Version ([\w.()]{1,40})"), _asa),
    (re.compile(r"^(?:HP|ProCurve|Aruba|HPE)\b(.{1,80}?), revision ([A-Z]{1,3}\.[\w.]{1,30})"), _procurve),
    (re.compile(r"JUNOS ([\w.-]{1,40})"), _junos),
    (re.compile(r"^pfSense \S{1,253} (\d[\w.-]{0,40})"), _pfsense),
    (re.compile(r"Software: Windows.{0,40}? Version ([\d.]{1,20}) \(Build (\d{1,10})"), _windows),
    (re.compile(r"^ArubaOS \(MODEL: ([\w-]{1,40})\), Version (\d[\w.-]{0,40})"), _aruba),
    (
        re.compile(r"^Arista Networks EOS version (\S{1,40}) running on an Arista Networks (\S{1,60})"),
        _arista,
    ),
)
