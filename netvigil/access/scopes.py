"""Scopes: what a token may do."""

from __future__ import annotations

from enum import StrEnum


class Scope(StrEnum):
    """A right that a token carries; `*` in a token grants all."""

    CVE_VIEW = "cve:view"  # read schedules, scans, reports
    CVE_CREATE = "cve:create"  # create schedules
    CVE_UPDATE = "cve:update"  # change schedules and decisions
    CVE_DELETE = "cve:delete"  # delete schedules
    CVE_RUN = "cve:run"  # start and stop scans
    SITES_VIEW = "sites:view"  # read sites
    SITES_MANAGE = "sites:manage"  # create, change and delete sites, public networks included
    NOTIFICATIONS_VIEW = "notifications:view"  # read notification groups
    NOTIFICATIONS_MANAGE = "notifications:manage"  # change notification groups
    FEEDS_MANAGE = "feeds:manage"  # refresh the vulnerability data
    AUDIT_VIEW = "audit:view"  # read the audit trail


ALL = "*"


def read_scopes(claims: dict[str, object]) -> frozenset[str]:
    """The scopes of a token: `scopes` or `permissions`, an array or a space-separated string."""
    found: set[str] = set()
    for name in ("scopes", "permissions"):
        value = claims.get(name)
        if isinstance(value, str):
            found.update(value.split())
        elif isinstance(value, list):
            found.update(item for item in value if isinstance(item, str))
    return frozenset(found)
