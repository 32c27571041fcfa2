"""Takes a version as a banner writes it apart: upstream version, NVD's update, and a packager's suffix."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

MAX_LENGTH: Final = 120

_VAGUE: Final = re.compile(r"\bor (?:later|earlier|newer|older)\b|\s-\s|\b\d+\.x\b|[<>]", re.IGNORECASE)
# MariaDB puts the last MySQL version that old clients accept before its own.
_MARIADB_PREFIX: Final = re.compile(r"^5\.5\.5-(?=\d)")
_CORE: Final = re.compile(r"^v?(\d[0-9a-z.]*(?:_[a-z]*\d+)?)(.*)$", re.IGNORECASE | re.DOTALL)
_TAG: Final = re.compile(r"^([\d.]*\d)[._-]?((?:p|rc|beta|alpha|pre|sp|a|b)\d+(?:[-.][a-z]+\d+)?)$")
_LETTER: Final = re.compile(r"^([\d.]*\d)([a-z])$")
_BUILD: Final = re.compile(r"^-(\d{3,}(?:-\d+)?)$")
_RELEASE_TAG: Final = re.compile(r"^[-.]?((?:rc|beta|alpha|pre|p)\.?\d+)\b", re.IGNORECASE)

_PACKAGER: Final = re.compile(
    r"\b(Debian|Raspbian|Ubuntu|CentOS|Red ?Hat|RHEL|Fedora|Oracle Linux|AlmaLinux|Rocky|SUSE|openSUSE|Alpine|Amazon|FreeBSD|"
    r"NetBSD|(?<=\d-)RH)\b(?:/GNU)?[-_ ]?([0-9][\w.+~-]{0,60})?",
    re.IGNORECASE,
)
_SUFFIXES: Final = (
    (re.compile(r"(?<![\w.])([\w.]*[~+]deb\d+u\d+[\w.]*)"), "Debian"),
    (re.compile(r"((?:\d[\w.]*)?\+(?:etch|lenny|squeeze|wheezy|jessie|stretch|b\d)\w*)"), "Debian"),
    (re.compile(r"(?<![\w.])(\d[\w.+~]*ubuntu[\w.+~]*)", re.IGNORECASE), "Ubuntu"),
    (re.compile(r"((?:\d[\w.]*)?\.(?:el|fc)\d+[\w.]*)"), "Red Hat"),
)
_PROPER: Final = {
    "redhat": "Red Hat",
    "rh": "Red Hat",  # BIND: 9.16.23-RH
    "centos": "CentOS",
    "rhel": "RHEL",
    "suse": "SUSE",
    "freebsd": "FreeBSD",
}

# NVD writes these programs' letters into the update: proftpd 1.3.3 update c.
_LETTER_IS_UPDATE: Final = frozenset({"proftpd", "samba"})
# Their banners always show the update, so none shown is none there; NVD names that as `-`.
_SHOWS_UPDATE: Final = frozenset({"bind", "squid", "ntp", "openssl", "proftpd"})


class VersionParts(NamedTuple):
    """What a version string says, as literals: `update` is `*` for unknown and `-` for none."""

    version: str
    update: str
    distribution: str | None


def split_version(raw: str, product: str = "") -> VersionParts | None:
    """Split `9.2p1 Debian 2+deb12u3` and its like; None for what names no version (`9.6.0 or later`, `3.X - 4.X`).

    `product` is NVD's product name: a few programs write or name their versions their own way.
    """
    text = raw.strip()[:MAX_LENGTH]
    if _VAGUE.search(text):
        return None
    text = _MARIADB_PREFIX.sub("", text)
    core = _CORE.match(text)
    if core is None:
        return None
    distribution = find_distribution(text)
    version, update = _split_update(core[1].rstrip(".").lower(), product)
    rest = core[2]
    if update == "*" and (tag := _RELEASE_TAG.match(rest)):
        update = tag[1].replace(".", "").lower()
    elif distribution is None and (build := _BUILD.match(rest)):
        version += f"-{build[1]}"
    if update == "*" and product in _SHOWS_UPDATE:
        update = "-"
    return VersionParts(version, update, distribution)


def find_distribution(text: str) -> str | None:
    """The packager that a version names, with its own revision where it stands there: `Debian 2+deb12u3`, `CentOS`."""
    found = _packager(text)
    return found and " ".join(filter(None, found))


def find_packager(text: str) -> str | None:
    """The packager alone, for a text about several programs: a revision in it is one program's, not the others'."""
    found = _packager(text)
    return found and found[0]


def _packager(text: str) -> tuple[str, str | None] | None:
    text = text[:1000]
    named = _PACKAGER.search(text)
    for pattern, name in _SUFFIXES:
        if suffix := pattern.search(text):
            return _proper(named[1]) if named else name, suffix[1].lstrip(".")
    return (_proper(named[1]), named[2]) if named else None


def _proper(name: str) -> str:
    key = name.lower().replace(" ", "")
    return _PROPER.get(key, name if name != name.lower() else name.capitalize())


def _split_update(core: str, product: str) -> tuple[str, str]:
    if tag := _TAG.match(core):
        return tag[1], tag[2]
    if product in _LETTER_IS_UPDATE and (letter := _LETTER.match(core)):
        return letter[1], letter[2]
    return core, "*"
