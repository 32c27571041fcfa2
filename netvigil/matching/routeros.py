"""RouterOS as its services name it; nmap gives most of them no version and no CPE.

Version and release channel: telnet `MikroTik v6.42 (stable)`, FTP `(MikroTik 6.42)`, WebFig's page and file list,
MNDP `6.49.10 (long-term)`. NVD keeps the channel in `sw_edition`: `-` stable, `ltr` long-term, `testing`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from netvigil.matching.cpe import ANY, NA, Cpe
from netvigil.matching.products import Confidence
from netvigil.matching.software import MAX_TEXT, line_around

if TYPE_CHECKING:
    from netvigil.probing.observations import ServiceObservation

_VERSION: Final = r"(\d{1,2}\.\d{1,3}(?:\.\d{1,3})*)((?:alpha|beta|rc)\d{1,3})?"
_CHANNEL: Final = r"(?:\s*\(?(stable|long-term|testing|development|current|bugfix)\b)?"
_VERSIONED: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\bMikroTik v?{_VERSION}{_CHANNEL}",
        rf"\bRouterOS v?{_VERSION}{_CHANNEL}",
        rf"\bMikroTik router ftpd v?{_VERSION}{_CHANNEL}",
        rf"\bMikroTik RouterOS v?{_VERSION}{_CHANNEL}",
        rf"name: \"roteros\.jg\"[^}}]{{0,200}}version: \"{_VERSION}\"()",
    )
)
_BARE: Final = re.compile(rf"^\s*v?{_VERSION}{_CHANNEL}")
_UNVERSIONED: Final = re.compile(
    r"\bROSSSH\b|\bRouterOS\b|\bMikroTik\b(?! RouterBoard 2\d0GS| SwOS)", re.IGNORECASE
)
_CHANNELS: Final = {
    "stable": NA,
    "current": NA,  # what stable was called until 2018
    "long-term": "ltr",
    "bugfix": "ltr",  # what long-term was called until 2018
    "testing": "testing",
    "development": "testing",
}


def find_routeros(service: ServiceObservation) -> tuple[Cpe, Confidence, str] | None:
    """RouterOS with version where the service names one, without where it only shows that it is RouterOS."""
    product = (service.product or "")[:MAX_TEXT]
    texts = (
        service.banner or "",
        f"{product} {service.version or ''}",
        service.extra_info or "",
    )
    for text in (text[:MAX_TEXT] for text in texts):
        for pattern in _VERSIONED:
            if found := pattern.search(text):
                return _product(found), Confidence.EXACT, line_around(text, found.start())
    named = (
        service.name == "mndp"
        or _UNVERSIONED.search("\n".join(text[:MAX_TEXT] for text in texts)) is not None
    )
    if not named and not any(":mikrotik:routeros" in cpe for cpe in service.cpes):
        return None
    alone = service.version or (service.banner if service.name == "mndp" else None) or ""
    if named and (bare := _BARE.match(alone[:MAX_TEXT])):
        return _product(bare), Confidence.EXACT, f"{product} {line_around(alone, 0)}".strip()[:200]
    words = product or (line_around(service.banner, 0) if service.banner else "") or "RouterOS"
    return Cpe("o", "mikrotik", "routeros"), Confidence.LIKELY, words[:200]


def _product(found: re.Match[str]) -> Cpe:
    version, update, channel = found[1], found[2], found[3]
    return Cpe(
        "o",
        "mikrotik",
        "routeros",
        version,
        (update or ANY).lower(),
        sw_edition=_CHANNELS.get((channel or "").lower(), ANY),
    )
