"""MAC addresses in one normal form, whatever a client, a switch or a packet writes."""

from __future__ import annotations

import re

from netvigil.errors import Invalid

# One separator throughout: "00:1A-2B…" is more likely a damaged line than an address.
_SPELLINGS = re.compile(
    r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}"
    r"|[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){5}"
    r"|[0-9A-Fa-f]{4}(?:\.[0-9A-Fa-f]{4}){2}"
    r"|[0-9A-Fa-f]{12}"
)
_SEPARATORS = str.maketrans("", "", ":-.")

# Bits of the first octet (IEEE 802-2014, 8.2).
_GROUP = 0b01
_LOCAL = 0b10


def parse_mac(text: str) -> str:
    """Return the normal form `00:1A:2B:3C:4D:5E` of an address with colons, dashes, Cisco's dots or nothing between.

    Raises Invalid (`parameter_invalid`).
    """
    if _SPELLINGS.fullmatch(text) is None:
        raise Invalid("parameter_invalid", f"{text[:40]!r} is not a MAC address, such as 00:1A:2B:3C:4D:5E.")
    digits = text.translate(_SEPARATORS).upper()
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))


def is_local(mac: str) -> bool:
    """Say whether the address was chosen locally: a virtual machine's, or a phone's random one. Raises as `parse_mac`.

    Such an address names no manufacturer, and may be another one tomorrow.
    """
    return bool(_first_octet(mac) & _LOCAL)


def is_multicast(mac: str) -> bool:
    """Say whether the address names a group, broadcast included, and so no device. Raises as `parse_mac`."""
    return bool(_first_octet(mac) & _GROUP)


def _first_octet(mac: str) -> int:
    return int(parse_mac(mac)[:2], 16)
