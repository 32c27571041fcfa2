"""PURE: who made an SNMP agent, by the enterprise number in its object or engine id (IANA's registry of them)."""

from __future__ import annotations

from typing import Final

ENTERPRISES: Final = (1, 3, 6, 1, 4, 1)

NET_SNMP: Final = 8072
MIKROTIK: Final = 14988

VENDORS: Final = {
    9: "Cisco",
    11: "HP",
    63: "Apple",
    171: "D-Link",
    207: "Allied Telesis",
    232: "HPE",
    236: "Samsung",
    253: "Xerox",
    311: "Microsoft",
    318: "APC",
    343: "Intel",
    367: "Ricoh",
    534: "Eaton",
    641: "Lexmark",
    674: "Dell",
    890: "Zyxel",
    1248: "Epson",
    1347: "Kyocera",
    1588: "Brocade",
    1602: "Canon",
    1916: "Extreme Networks",
    1991: "Foundry",
    2011: "Huawei",
    2021: "net-snmp",
    2435: "Brother",
    2620: "Check Point",
    2636: "Juniper",
    3097: "WatchGuard",
    3375: "F5",
    4413: "Broadcom",
    4526: "Netgear",
    5951: "Citrix",
    6486: "Alcatel-Lucent",
    6527: "Nokia",
    6574: "Synology",
    6876: "VMware",
    NET_SNMP: "net-snmp",
    8741: "SonicWall",
    10002: "Ubiquiti",
    11863: "TP-Link",
    12356: "Fortinet",
    14823: "Aruba",
    MIKROTIK: "MikroTik",
    18334: "Konica Minolta",
    24681: "QNAP",
    25461: "Palo Alto Networks",
    25506: "H3C",
    30065: "Arista",
    39165: "Hikvision",
    41112: "Ubiquiti",
    47196: "Aruba",
}

_MAC_FORMAT: Final = 3  # of an engine id (RFC 3411, SnmpEngineID)
_FORMATTED: Final = 0x80
_MAC_SIZE: Final = 6


def find_enterprise(object_id: str) -> int | None:
    """The enterprise number in a dotted object id below 1.3.6.1.4.1."""
    arcs = object_id.split(".")
    if arcs[:6] != ["1", "3", "6", "1", "4", "1"] or len(arcs) < 7 or not arcs[6].isdigit():  # noqa: PLR2004 - the seventh
        return None
    return int(arcs[6])


def read_engine_id(engine_id: bytes) -> tuple[int, str | None]:
    """The enterprise number of an engine id, and the MAC address in it where it has one."""
    number = int.from_bytes(engine_id[:4], "big") & 0x7FFFFFFF
    mac = engine_id[5:]
    if not engine_id[0] & _FORMATTED or engine_id[4] != _MAC_FORMAT or len(mac) != _MAC_SIZE:
        return number, None
    return number, mac.hex(":").upper() if any(mac) and not mac[0] & 1 else None
