"""PURE: the areas of the console, in the order of the menu."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from netvigil.access.scopes import Scope


@dataclass(frozen=True, slots=True)
class Area:
    """A place in the menu; `icon` is a name in `templates/icons.html`, `prefixes` are other paths that belong to it."""

    name: str
    path: str
    icon: str
    scope: Scope
    prefixes: tuple[str, ...] = ()

    def holds(self, path: str) -> bool:
        """Whether the path is of this area."""
        own = (self.path, *self.prefixes)
        return path == self.path or any(one != "/" and path.startswith(f"{one}/") for one in own)


# A new area is a line here, in the place where people look for it: Sites and Schedules behind Scans; Feeds,
# Notifications, Tokens, Audit and Settings, which are seldom wanted, in ADMINISTRATION.
AREAS: Final = (
    Area("Overview", "/", "overview", Scope.CVE_VIEW),
    Area("Scans", "/scans", "scans", Scope.CVE_VIEW),
    Area("Devices", "/devices", "devices", Scope.CVE_VIEW, ("/cves",)),
)
ADMINISTRATION: Final[tuple[Area, ...]] = ()
