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
from netvigil.probing.routeros import CHANNEL, VERSION, is_other_system, normal_channel

if TYPE_CHECKING:
    from netvigil.probing.observations import ServiceObservation

_VERSIONED: Final = tuple(
    re.compile(pattern, re.IGNORECASE | re.ASCII)
    for pattern in (
        rf"\bMikroTik v?{VERSION}{CHANNEL}",
        rf"\bRouterOS v?{VERSION}{CHANNEL}",
        rf"\bMikroTik router ftpd v?{VERSION}{CHANNEL}",
        rf"\bMikroTik RouterOS v?{VERSION}{CHANNEL}",
        rf"name: \"roteros\.jg\"[^}}]{{0,200}}version: \"{VERSION}\"()",
    )
)
_BARE: Final = re.compile(rf"^\s*v?{VERSION}{CHANNEL}", re.ASCII)
_UNVERSIONED: Final = re.compile(
    r"\bROSSSH\b|\bRouterOS\b|\bMikroTik\b(?! RouterBoard 2\d0GS| SwOS)", re.IGNORECASE
)
_EDITIONS: Final = {"stable": NA, "long-term": "ltr", "testing": "testing", "development": "testing"}


def find_routeros(service: ServiceObservation) -> tuple[Cpe, Confidence, str] | None:
    """RouterOS with version where the service names one, without where it only shows that it is RouterOS.

    Its channel comes from beside the version, else from the service's fact `channel`.
    """
    if is_other_system(service):
        return None
    told = service.facts.get("channel")
    product = (service.product or "")[:MAX_TEXT]
    texts = (
        service.banner or "",
        f"{product} {service.version or ''}",
        service.extra_info or "",
    )
    for text in (text[:MAX_TEXT] for text in texts):
        for pattern in _VERSIONED:
            if found := pattern.search(text):
                return _product(found, told), Confidence.EXACT, line_around(text, found.start())
    named = (
        service.name == "mndp"
        or _UNVERSIONED.search("\n".join(text[:MAX_TEXT] for text in texts)) is not None
    )
    if not named and not any(":mikrotik:routeros" in cpe for cpe in service.cpes):
        return None
    alone = service.version or (service.banner if service.name == "mndp" else None) or ""
    if named and (bare := _BARE.match(alone[:MAX_TEXT])):
        return _product(bare, told), Confidence.EXACT, f"{product} {line_around(alone, 0)}".strip()[:200]
    words = product or (line_around(service.banner, 0) if service.banner else "") or "RouterOS"
    return Cpe("o", "mikrotik", "routeros"), Confidence.LIKELY, words[:200]


def _product(found: re.Match[str], told: str | None) -> Cpe:
    version, update = found[1], found[2]
    channel = normal_channel(found[3]) or normal_channel(told)
    return Cpe(
        "o",
        "mikrotik",
        "routeros",
        version,
        (update or ANY).lower(),
        sw_edition=_EDITIONS.get(channel or "", ANY),
    )
