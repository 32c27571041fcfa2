"""The order of distributions' package versions: Debian's, RPM's and Alpine's rules, each as a sort key.

These rules differ from those of upstream versions (`versions`), and are total: any two well-formed versions of one
distribution have an order. Text that no version of that distribution can be is UNKNOWN to everything.

Sources: Debian Policy 5.6.12; rpm's manual "rpm-version(7)"; Alpine's package versions as its package manager's
manual "apk-package(5)" states them, with Gentoo's rule for numbers that begin with a zero.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from netvigil.matching.versions import Order

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_LENGTH: Final = 256


class Scheme(Enum):
    """Whose rules order a package's versions."""

    DEBIAN = "debian"
    RPM = "rpm"
    ALPINE = "alpine"


_SCHEMES: Final = {
    **dict.fromkeys(("debian", "raspbian", "ubuntu", "echo"), Scheme.DEBIAN),
    **dict.fromkeys(("alpine", "wolfi", "chainguard"), Scheme.ALPINE),
    **dict.fromkeys(
        ("red hat", "centos", "rocky linux", "almalinux", "fedora", "amazon linux", "oracle linux"),
        Scheme.RPM,
    ),
    **dict.fromkeys(("suse", "opensuse", "mageia", "openeuler", "photon os", "azure linux"), Scheme.RPM),
}

_DEBIAN: Final = re.compile(r"(?:(\d{1,9}):([A-Za-z0-9.+~:-]+)|([A-Za-z0-9.+~-]+))(?<!-)")
_DEBIAN_PIECE: Final = re.compile(r"([^0-9]*)([0-9]*)")
_RPM: Final = re.compile(r"(?:(\d{1,9}):)?([^\s:-]+)(?:-([^\s:-]+))?")
_RPM_PIECE: Final = re.compile(r"[0-9]+|[A-Za-z]+|[~^]")
_ALPINE: Final = re.compile(
    r"(\d+)((?:\.\d+)*)([a-z]?)((?:_(?:alpha|beta|pre|rc|cvs|svn|git|hg|p)\d*)*)(~[0-9a-f]+)?(?:-r(\d+))?"
)
_ALPINE_SUFFIX: Final = re.compile(r"_([a-z]+)(\d*)")
_BEFORE_RELEASE: Final = ("alpha", "beta", "pre", "rc")
_AFTER_RELEASE: Final = ("cvs", "svn", "git", "hg", "p")


def scheme_of(ecosystem: str) -> Scheme | None:
    """The rules of an OSV ecosystem, with or without its release (`Debian:12`); None for one that we do not order."""
    return _SCHEMES.get(ecosystem.partition(":")[0].strip().lower())


def compare_package(ecosystem: str, a: str, b: str) -> Order:
    """Order of `a` to `b` (OLDER: a is older) by the ecosystem's rules; UNKNOWN for what is no version there."""
    scheme = scheme_of(ecosystem)
    if scheme is None:
        return Order.UNKNOWN
    left, right = package_key(scheme, a), package_key(scheme, b)
    if left is None or right is None:
        return Order.UNKNOWN
    return Order.EQUAL if left == right else Order.OLDER if left < right else Order.NEWER


@lru_cache(maxsize=1 << 15)
def package_key(scheme: Scheme, version: str) -> tuple[Any, ...] | None:
    """A key that sorts as the versions do; comparable with keys of the same scheme. None for no version."""
    text = version.strip()
    if not text or len(text) > MAX_LENGTH or not text.isascii():
        return None
    return _KEYS[scheme](text)


def split_epoch(version: str) -> tuple[int | None, str]:
    """`1:9.2p1-2` → (1, `9.2p1-2`); None where no epoch is written, which a package manager reads as 0."""
    epoch, colon, rest = version.partition(":")
    return (int(epoch), rest) if colon and epoch.isascii() and epoch.isdigit() else (None, version)


def _debian_key(text: str) -> tuple[Any, ...] | None:
    parts = _DEBIAN.fullmatch(text)
    if parts is None:
        return None
    upstream, dash, revision = (parts[2] or parts[3]).rpartition("-")
    if not dash:
        upstream, revision = revision, ""
    return (int(parts[1] or 0), _debian_part(upstream), _debian_part(revision))


def _debian_part(text: str) -> tuple[Any, ...]:
    """Words and numbers in turn, first a word; the end is a word too, older than any letter but not than `~`."""
    key: list[Any] = []
    at = 0
    while at < len(text) or not key:
        piece = _DEBIAN_PIECE.match(text, at)
        if piece is None:  # the pattern takes the empty text, too
            break
        key += ((*map(_debian_weight, piece[1]), 0), int(piece[2] or 0))
        at = piece.end()
    return (*key, (0,))


def _debian_weight(char: str) -> int:
    return -1 if char == "~" else ord(char) if char.isalpha() else ord(char) + 256


def _rpm_key(text: str) -> tuple[Any, ...] | None:
    parts = _RPM.fullmatch(text)
    if parts is None:
        return None
    return (int(parts[1] or 0), _rpm_part(parts[2]), _rpm_part(parts[3] or ""))


def _rpm_part(text: str) -> tuple[Any, ...]:
    """`~` before the end, then the end, `^`, words, numbers; what stands between pieces says nothing."""
    key: list[tuple[Any, ...]] = []
    for piece in _RPM_PIECE.findall(text):
        if piece.isdigit():
            key.append((3, int(piece)))
        elif piece.isalpha():
            key.append((2, piece))
        else:
            key.append((-1,) if piece == "~" else (1,))
    return (*key, (0,))


def _alpine_key(text: str) -> tuple[Any, ...] | None:
    parts = _ALPINE.fullmatch(text)
    if parts is None:
        return None
    first, more, letter, suffixes, commit, revision = parts.groups()
    # The first element ranks the kinds of piece; of two versions that part there, the higher kind is newer.
    key: list[tuple[Any, ...]] = [(8, int(first))]
    numbers = more.split(".")[1:]
    key += [(7, 0, number) if number[0] == "0" else (7, 1, int(number)) for number in numbers]
    if letter:
        key.append((6, letter))
    for word, number in _ALPINE_SUFFIX.findall(suffixes):
        before = word in _BEFORE_RELEASE
        key.append((0, _BEFORE_RELEASE.index(word)) if before else (5, _AFTER_RELEASE.index(word)))
        if number:
            key.append((4, int(number)))
    if commit:
        key.append((3, commit))
    if revision is not None:
        key.append((2, int(revision)))
    return (*key, (1,))


_KEYS: Final[dict[Scheme, Callable[[str], tuple[Any, ...] | None]]] = {
    Scheme.DEBIAN: _debian_key,
    Scheme.RPM: _rpm_key,
    Scheme.ALPINE: _alpine_key,
}
