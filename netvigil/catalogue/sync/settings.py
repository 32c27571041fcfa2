"""What can be set about the feeds: where each comes from, NVD's key, how often, and whether at all."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from netvigil.catalogue.sync.sources import CVE_LIST, CVE_LIST_CHANGES, SOURCES, source_named
from netvigil.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

ENABLED = "NETVIGIL_FEED_SYNC"
INTERVAL = "NETVIGIL_FEED_SYNC_HOURS"
API_KEY = "NETVIGIL_NVD_API_KEY"
CHANGES = "NETVIGIL_FEED_CVELIST_CHANGES_URL"
OFF = "off"

_WORDS = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    OFF: False,
}
_KEY = re.compile(r"[!-~]{1,200}")
_DEFAULTS: Mapping[str, str | None] = MappingProxyType({source.name: source.url for source in SOURCES})


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedSettings:
    """`urls` by the source's name, None for a source that is off. The key never appears in a repr."""

    scheduled: bool = True
    """Whether the service fetches by itself; a request or the CLI fetches in any case."""
    interval_hours: float = 24.0
    """Hours from one scheduled sync to the next, about."""
    nvd_api_key: str | None = field(default=None, repr=False)
    """NVD allows fifty requests in 30 seconds with a key, five without."""
    cvelist_changes_url: str | None = CVE_LIST_CHANGES
    """Folder of the CVE List's log of changes and records; None fetches the whole list each time."""
    urls: Mapping[str, str | None] = field(default_factory=lambda: _DEFAULTS)


def read_feed_settings(environ: Mapping[str, str] = os.environ) -> FeedSettings:
    """The settings from `NETVIGIL_FEED_*` and `NETVIGIL_NVD_API_KEY`; UsageError names a variable that is wrong.

    A URL of `off` turns its source off. Proxies are the usual `HTTPS_PROXY`, `NO_PROXY` and so on, which the
    HTTP library reads itself.
    """
    archive = source_named(CVE_LIST)
    mirrored = environ.get(archive.setting, "").strip() not in {"", archive.url}
    # who names a mirror for the list does not want the public server to be asked for its changes
    changes = environ.get(CHANGES, "").strip() or (OFF if mirrored else CVE_LIST_CHANGES)
    return FeedSettings(
        cvelist_changes_url=_url(CHANGES, changes.rstrip("/")),
        scheduled=_flag(environ),
        interval_hours=_hours(environ),
        nvd_api_key=_key(environ),
        urls={
            source.name: _url(source.setting, environ.get(source.setting, "").strip() or source.url)
            for source in SOURCES
        },
    )


def shown_url(url: str) -> str:
    """The URL as people may see it: without user, password and query, for a mirror's may hold secrets."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


def _flag(environ: Mapping[str, str]) -> bool:
    raw = environ.get(ENABLED, "").strip().lower()
    if raw and raw not in _WORDS:
        raise UsageError(f"The setting {ENABLED} has the value {raw!r}; it takes true or false.")
    return _WORDS.get(raw, True)


def _hours(environ: Mapping[str, str]) -> float:
    raw = environ.get(INTERVAL, "").strip() or "24"
    try:
        hours = float(raw)
    except ValueError:
        hours = 0.0
    if not 1 <= hours <= 24 * 30:
        raise UsageError(f"The setting {INTERVAL} has the value {raw!r}; it takes 1 to 720 hours.")
    return hours


def _key(environ: Mapping[str, str]) -> str | None:
    raw = environ.get(API_KEY, "").strip()
    if raw and not _KEY.fullmatch(raw):  # and the message must not show it
        raise UsageError(f"The setting {API_KEY} holds characters that no key has.")
    return raw or None


def _url(name: str, raw: str) -> str | None:
    if raw.lower() == OFF:
        return None
    try:
        parts = urlsplit(raw)
        known = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        known = False
    if not known or not raw.isprintable() or " " in raw:
        raise UsageError(f"The setting {name} takes a URL that starts with http:// or https://, or 'off'.")
    return raw
