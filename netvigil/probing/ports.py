"""PURE: which ports are swept, which are never spoken to, and which are not to be greeted with HTTP."""

from __future__ import annotations

from enum import StrEnum
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LAST_PORT = 65535

# Ports of devices on LANs, by the name of what listens there. Swept besides nmap's most frequent ones, many of
# which these are too: the list also gives a name to a port that says nothing.
LAN_PORTS: dict[int, str] = {
    21: "ftp", 22: "ssh", 23: "telnet", 25: "smtp", 53: "domain", 80: "http", 102: "iso-tsap", 110: "pop3",
    111: "rpcbind", 135: "msrpc", 139: "netbios-ssn", 143: "imap", 161: "snmp", 389: "ldap", 443: "https",
    445: "microsoft-ds", 502: "modbus", 515: "printer", 548: "afp", 554: "rtsp", 587: "submission",
    631: "ipp", 636: "ldaps", 873: "rsync", 993: "imaps", 995: "pop3s", 1433: "ms-sql-s", 1723: "pptp",
    1883: "mqtt", 1900: "upnp", 2000: "bandwidth-test", 2049: "nfs", 2121: "ftp", 2222: "ssh", 2323: "telnet",
    2375: "docker", 2376: "docker-s", 2525: "smtp", 3000: "http", 3128: "http-proxy", 3306: "mysql",
    3389: "ms-wbt-server", 4786: "smart-install", 5000: "http", 5001: "https", 5060: "sip", 5357: "wsdapi",
    5432: "postgresql", 5555: "adb", 5678: "mndp", 5683: "coap", 5900: "vnc", 5985: "winrm", 5986: "winrm-s",
    6379: "redis", 7547: "cwmp", 8000: "http", 8008: "http", 8009: "ajp13", 8060: "roku", 8080: "http-proxy",
    8081: "http", 8086: "influxdb", 8088: "http", 8123: "home-assistant", 8291: "winbox", 8443: "https-alt",
    8554: "rtsp-alt", 8728: "routeros-api", 8729: "routeros-api-s", 8883: "mqtt-s", 8888: "http", 9000: "http",
    9090: "http", 9100: "jetdirect", 9197: "upnp", 9200: "elasticsearch", 9443: "https", 10000: "webmin",
    10554: "rtsp-alt", 11211: "memcached", 20000: "dnp", 27017: "mongodb", 32400: "plex", 34567: "dvr",
    37777: "dahua-dvr", 44818: "ethernet-ip", 47808: "bacnet", 50022: "ssh", 62078: "iphone-sync",
}  # fmt: skip

# Ports where any byte may do harm: printers print it, controllers stop. Recorded as open, never spoken to.
FRAGILE_PORTS: frozenset[int] = frozenset(
    {
        *range(9100, 9108), 9112,  # raw printing (JetDirect and its kind)
        515,  # line printer daemon
        102,  # Siemens S7, IEC 61850
        502, 802,  # Modbus, with TLS
        789,  # Red Lion controllers
        1089, 1090, 1091,  # Foundation Fieldbus
        1911, 4911,  # Niagara Fox
        1962,  # PCWorx
        2404,  # IEC 60870-5-104
        2455, 1740, 1741, 1742, 1743, 11740,  # CODESYS
        5006, 5007,  # Mitsubishi MELSEC
        9600,  # Omron FINS
        10001,  # tank gauges
        18245, 18246,  # GE SRTP
        20000, 19999,  # DNP3, with TLS
        20547,  # ProConOS
        34962, 34963, 34964,  # PROFINET
        44818,  # EtherNet/IP
        47808,  # BACnet
    }
)  # fmt: skip

# Where something wordless and binary listens: it is given time to greet, but no HTTP request.
BINARY_PORTS: frozenset[int] = frozenset(
    {
        53, 111, 135, 137, 139, 389, 445, 548, 636, 873, 1433, 1521, 1723, 1883, 2000, 2049, 3268, 3269, 3389,
        4786, 5060, 5061, 5432, 5555, 5678, 5900, 8009, 8291, 8728, 8729, 8883, 27017, 34567, 37777, 62078,
    }
)  # fmt: skip

# Where TLS is spoken from the first byte, and what is spoken inside it.
TLS_PORTS: dict[int, str] = {
    443: "http", 465: "smtp", 636: "ldap", 832: "http", 853: "domain", 990: "ftp", 992: "telnet", 993: "imap",
    995: "pop3", 2376: "http", 2083: "http", 2087: "http", 3269: "ldap", 4433: "http", 4443: "http", 5001: "http",
    5061: "sip", 5671: "amqp", 5986: "http", 6443: "http", 7443: "http", 8006: "http", 8089: "http", 8443: "http",
    8729: "routeros-api", 8883: "mqtt", 9443: "http", 10443: "http",
}  # fmt: skip


class Profile(StrEnum):
    """How much is swept."""

    QUICK = "quick"  # nmap's hundred most frequent ports and ours
    STANDARD = "standard"  # nmap's thousand and ours
    FULL = "full"  # all 65,535

    @property
    def top_ports(self) -> int:
        """How many of nmap's most frequent ports belong to it; 0 where all ports are swept anyway."""
        return {Profile.QUICK: 100, Profile.STANDARD: 1000, Profile.FULL: 0}[self]


def plan_ports(profile: Profile, frequent: Iterable[int], extra: Iterable[int] = ()) -> tuple[int, ...]:
    """The TCP ports to sweep, ascending; `frequent` are nmap's most frequent ones, `extra` the caller's."""
    if profile is Profile.FULL:
        return tuple(range(1, LAST_PORT + 1))
    wanted = set(chain(frequent, LAN_PORTS, extra))
    return tuple(sorted(port for port in wanted if 1 <= port <= LAST_PORT))


def format_ports(ports: Sequence[int]) -> str:
    """Ascending ports in nmap's notation, `21-23,80`."""
    parts: list[str] = []
    index = 0
    while index < len(ports):
        end = index
        while end + 1 < len(ports) and ports[end + 1] == ports[end] + 1:
            end += 1
        parts.append(str(ports[index]) if end == index else f"{ports[index]}-{ports[end]}")
        index = end + 1
    return ",".join(parts)


def parse_ports(text: str) -> tuple[int, ...]:
    """Ports of nmap's notation; raises ValueError for anything else."""
    ports: list[int] = []
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        ports.extend(range(int(first), int(last or first) + 1))
    return tuple(ports)
