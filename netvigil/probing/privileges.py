"""Find out whether nmap may send raw packets from here, without trusting the user id alone."""

from __future__ import annotations

import os
import shutil
import socket
import struct
from enum import StrEnum
from pathlib import Path

_CAP_NET_RAW = 1 << 13


class Privileges(StrEnum):
    """What we may send."""

    RAW = "raw"  # raw packets: ARP, SYN, ICMP
    NONE = "none"  # whole TCP connections only


def detect_privileges() -> Privileges:
    """RAW when a raw socket can be opened here and an nmap that we start could open one as well.

    Root may lack the capability (a container), another user may have it, as ambient capability (systemd's
    AmbientCapabilities) or as file capability of nmap itself. nmap is then told by `--privileged`.
    """
    status = _read_status()
    if status.get("NoNewPrivs", 0) == 0 and _nmap_file_permits() and status.get("CapBnd", 0) & _CAP_NET_RAW:
        return Privileges.RAW
    inherited = os.geteuid() == 0 or status.get("CapAmb", 0) & _CAP_NET_RAW
    return Privileges.RAW if inherited and _can_open_raw() else Privileges.NONE


def _can_open_raw() -> bool:
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW).close()
    except OSError:
        return False
    return True


def _read_status() -> dict[str, int]:
    """The capability masks of this process (proc(5)); empty where there is no such file."""
    masks: dict[str, int] = {}
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return masks
    for line in lines:
        key, _, value = line.partition(":")
        if key in {"CapBnd", "CapAmb"}:
            masks[key] = int(value, 16)
        elif key == "NoNewPrivs":
            masks[key] = int(value)
    return masks


def _nmap_file_permits() -> bool:
    """Whether the nmap binary carries CAP_NET_RAW, effective at once (capabilities(7), `security.capability`)."""
    path = shutil.which("nmap")
    if path is None or not hasattr(os, "getxattr"):
        return False
    try:
        raw = os.getxattr(path, "security.capability")
        magic, permitted = struct.unpack_from("<II", raw)
    except (OSError, struct.error):
        return False
    return bool(magic & 1 and permitted & _CAP_NET_RAW)
