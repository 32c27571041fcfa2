"""Ask the kernel, through a socket at the vantage, by which interface an address is reached and whether it is up."""

from __future__ import annotations

import array
import errno
import fcntl
import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

# linux/sockios.h and linux/if.h
_SIOCGIFCONF = 0x8912
_SIOCGIFFLAGS = 0x8913
_SIOCGIFNETMASK = 0x891B
_SIOCGIFHWADDR = 0x8927
_IFF_UP = 0x1
_IFF_LOOPBACK = 0x8
_IFF_RUNNING = 0x40
_NAME_SIZE = 16
_REQUEST_SIZE = 40 if struct.calcsize("P") == 8 else 32  # noqa: PLR2004 - sizeof(struct ifreq)
_MAX_INTERFACES = 512
_ETHERNET = 1
_ROUTES = Path("/proc/thread-self/net/route")  # of the calling thread's namespace
_RTF_UP_GATEWAY = 0x3
_GATEWAY_COLUMN, _FLAGS_COLUMN = 2, 3


@dataclass(frozen=True, slots=True)
class Interface:
    """One interface by which we reach something; `address` is ours with its network, `mac` None without Ethernet."""

    name: str
    address: IPv4Interface
    running: bool
    loopback: bool
    mac: str | None


@dataclass(frozen=True, slots=True)
class Route:
    """How the kernel would reach an address: `fault` says why it cannot; `interface` is None where unknown."""

    interface: Interface | None
    fault: str | None = None


def find_route(destination: IPv4Address, device: str | None = None) -> Route:
    """The route to the address from the calling thread's namespace; sends nothing (a UDP connect only looks up)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            if device is not None:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
            probe.connect((str(destination), 9))
        except OSError as error:
            if error.errno in {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN}:
                return Route(None, "there is no route to it")
            return Route(None, f"it cannot be reached ({error.strerror})")
        source = IPv4Address(probe.getsockname()[0])
        try:
            return Route(_find_interface(probe, source))
        except OSError:
            return Route(None)


def list_gateways() -> tuple[IPv4Address, ...]:
    """Every router in the calling thread's routing table (proc(5), /proc/net/route)."""
    try:
        rows = [line.split() for line in _ROUTES.read_text().splitlines()[1:]]
    except OSError:
        return ()
    found = {
        IPv4Address(socket.ntohl(int(row[_GATEWAY_COLUMN], 16)))
        for row in rows
        if int(row[_FLAGS_COLUMN], 16) & _RTF_UP_GATEWAY == _RTF_UP_GATEWAY
    }
    return tuple(sorted(found))


def _find_interface(probe: socket.socket, source: IPv4Address) -> Interface | None:
    buffer = array.array("B", bytes(_REQUEST_SIZE * _MAX_INTERFACES))
    where, _ = buffer.buffer_info()
    filled = fcntl.ioctl(probe, _SIOCGIFCONF, struct.pack("iP", len(buffer), where))
    length = struct.unpack("iP", filled)[0]
    for start in range(0, length, _REQUEST_SIZE):
        entry = buffer[start : start + _REQUEST_SIZE].tobytes()
        if entry[_NAME_SIZE + 4 : _NAME_SIZE + 8] == source.packed:
            return _describe(probe, entry[:_NAME_SIZE].split(b"\0")[0], source)
    # All of 127.0.0.0/8 is ours, though only 127.0.0.1 is configured.
    return _describe(probe, b"lo", source) if source.is_loopback else None


def _describe(probe: socket.socket, label: bytes, source: IPv4Address) -> Interface:
    name = label.split(b":")[0]  # `eth0:1` is a second address of eth0

    def ask(request: int, of: bytes) -> bytes:
        return fcntl.ioctl(probe, request, of.ljust(_REQUEST_SIZE, b"\0"))[_NAME_SIZE:]

    flags = struct.unpack_from("H", ask(_SIOCGIFFLAGS, name))[0]
    mask = IPv4Address(ask(_SIOCGIFNETMASK, label)[4:8])
    family, hardware = struct.unpack_from("H6s", ask(_SIOCGIFHWADDR, name))
    return Interface(
        name=name.decode("ascii", "replace"),
        address=IPv4Interface(f"{source}/{mask}"),
        running=flags & (_IFF_UP | _IFF_RUNNING) == _IFF_UP | _IFF_RUNNING,
        loopback=bool(flags & _IFF_LOOPBACK),
        mac=hardware.hex(":").upper() if family == _ETHERNET else None,
    )
