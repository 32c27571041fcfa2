"""What a host runs on, so that a CVE's "running on Windows" can be held against what was seen of it."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netvigil.matching.cpe import Cpe

FIRMWARE: Final = "firmware"  # the family of every operating system that is in no table here

_LINUX_VENDORS: Final = frozenset(
    {
        "almalinux",
        "alpinelinux",
        "amazon",
        "archlinux",
        "canonical",
        "centos",
        "conectiva",
        "debian",
        "fedoraproject",
        "gentoo",
        "linux",
        "mageia",
        "mandrakesoft",
        "mandriva",
        "novell",
        "opensuse",
        "oracle",
        "redhat",
        "rocky",
        "rockylinux",
        "scientificlinux",
        "slackware",
        "suse",
        "turbolinux",
        "ubuntu",
    }
)
_LINUX_WORDS: Final = ("linux", "fedora", "opensuse", "leap", "suse", "centos", "tumbleweed")
_BY_PRODUCT: Final = {
    **dict.fromkeys(("mac_os_x", "mac_os_x_server", "macos", "mac_os", "mac_os_server", "os_x"), "macos"),
    **dict.fromkeys(("iphone_os", "ipados", "ipad_os", "ios_and_ipados"), "ios"),
    **dict.fromkeys(("solaris", "sunos", "opensolaris"), "solaris"),
    "android": "android",
    "freebsd": "freebsd",
    "netbsd": "netbsd",
    "openbsd": "openbsd",
    "aix": "aix",
    "hp-ux": "hp-ux",
    "irix": "irix",
    "netware": "netware",
    "esxi": "esxi",
    "tru64": "tru64",
    "openvms": "openvms",
}
_GENERIC: Final = frozenset({"linux_kernel", "windows"})
_TARGETS: Final = {
    **dict.fromkeys(
        ("linux", "linux_kernel", "debian", "ubuntu", "redhat_enterprise_linux", "suse_linux"), "linux"
    ),
    **dict.fromkeys(
        ("windows", "windows_nt", "windows_server_2003", "windows_server_2008", "x64_windows"), "windows"
    ),
    **dict.fromkeys(("macos", "mac_os", "mac_os_x"), "macos"),
    **dict.fromkeys(("iphone_os", "ios", "ipados"), "ios"),
    **dict.fromkeys(("solaris", "sunos"), "solaris"),
    "android": "android",
    "freebsd": "freebsd",
    "aix": "aix",
    "hp-ux": "hp-ux",
}
# Firmware and phones mostly run a Linux kernel without saying so.
_MAY_BE_LINUX: Final = frozenset({FIRMWARE, "android", "esxi"})


class Presence(Enum):
    """Whether an operating system that a CVE asks for is the host's."""

    YES = "yes"
    MAYBE = "maybe"
    NO = "no"


def family_of(cpe: Cpe) -> str:
    """The family of an operating system's CPE: `windows`, `linux`, `macos`, …, or FIRMWARE."""
    if cpe.vendor == "microsoft" and cpe.product.startswith("windows"):
        return "windows"
    if cpe.vendor in _LINUX_VENDORS and any(word in cpe.product for word in _LINUX_WORDS):
        return "linux"
    return _BY_PRODUCT.get(cpe.product, FIRMWARE)


def presence(wanted: Cpe, systems: Iterable[Cpe]) -> Presence:
    """Hold a wanted operating system, absent by its own name, against the systems that the host is known to run."""
    best: Presence | None = None
    family = family_of(wanted)
    systems = tuple(systems)
    if any(system.product not in _GENERIC and family_of(system) == family for system in systems):
        # a Debian that also shows its kernel is a Debian
        systems = tuple(
            system for system in systems if wanted.product in _GENERIC or system.product not in _GENERIC
        )
    for system in systems:
        found = _one_presence(wanted, family, system)
        if found is Presence.YES:
            return found
        if best is None or found is Presence.MAYBE:
            best = found
    return best or Presence.MAYBE


def excludes(target_sw: str, systems: Iterable[Cpe]) -> bool:
    """Whether CPE's `target_sw` names an operating system that none of the host's systems can be."""
    family = _TARGETS.get(target_sw)
    if family is None:
        return False
    seen = {family_of(system) for system in systems}
    return bool(seen) and family not in seen and not (family == "linux" and seen & _MAY_BE_LINUX)


def runs_on(target_sw: str, systems: Iterable[Cpe]) -> bool:
    """Whether CPE's `target_sw` names the operating system that the host is known to run."""
    family = _TARGETS.get(target_sw)
    return family is not None and any(family_of(system) == family for system in systems)


def _one_presence(wanted: Cpe, family: str, system: Cpe) -> Presence:
    seen = family_of(system)
    if family == FIRMWARE:
        return Presence.MAYBE
    if seen != family:
        return Presence.MAYBE if family == "linux" and seen in _MAY_BE_LINUX else Presence.NO
    if wanted.product in _GENERIC:
        # Debian runs a Linux kernel, but which one its name does not say.
        return Presence.YES if wanted.version in ("*", "-") else Presence.MAYBE
    return Presence.MAYBE if system.product in _GENERIC else Presence.NO
