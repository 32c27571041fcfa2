"""PURE: work-arounds for a service, whatever program offers it: what to switch off, and firewall rules with its ports."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from netvigil.mitigation.commands import MANAGEMENT, port_list, valid_addresses, valid_cve, valid_ports
from netvigil.mitigation.markdown import fenced
from netvigil.mitigation.names import product_name
from netvigil.mitigation.routeros import is_routeros_service
from netvigil.mitigation.vendors import is_firmware

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netvigil.mitigation.facts import CveFacts, Port, Touched

MAX_ADVICE: Final = 3
_WEB: Final = "Web interface"
_DEVICE_ADVICE: Final = (
    "- **The device**: forward no port of the internet to it, switch UPnP and cloud access off, and keep it in a network of its "
    "own: what it must talk to (a recorder, a print server) reaches it, everybody else does not. Reach it from outside through "
    "a VPN only."
)


class ServiceAdvice(NamedTuple):
    """A kind of service: how scans and descriptions name it, its usual ports, and what to do besides the firewall."""

    title: str
    names: tuple[str, ...]
    words: re.Pattern[str]
    protocol: str
    ports: tuple[int, ...]
    advice: str


def _service(
    title: str, names: str, words: str, protocol: str, ports: tuple[int, ...], advice: str
) -> ServiceAdvice:
    return ServiceAdvice(
        title, tuple(names.split()), re.compile(words, re.IGNORECASE), protocol, ports, advice
    )


SERVICES: Final = (
    _service(
        "SSH", "ssh", r"\bssh\b|openssh|sshd|dropbear|\bscp\b|sftp", "tcp", (22,),
        "In `sshd_config`: `PasswordAuthentication no`, `PermitRootLogin prohibit-password`, `AllowUsers` or `AllowGroups` with those "
        "who need it, and `MaxStartups 10:30:60` against floods of connections; then `sshd -t` and a reload.",
    ),
    _service(
        "SMB", "microsoft-ds netbios-ssn netbios-ns", r"\bsmb(?:v?[123])?\b|samba|\bcifs\b", "tcp", (139, 445),
        "Never let SMB in from the internet. Windows: `Set-SmbServerConfiguration -EnableSMB1Protocol $false` and "
        "`-RequireSecuritySignature $true`. Samba: `server min protocol = SMB2_10` and `hosts allow` in `smb.conf`.",
    ),
    _service(
        "Remote Desktop", "ms-wbt-server xrdp", r"remote desktop|\brdp\b|xrdp", "tcp", (3389,),
        "Ask for network level authentication, and let it be reached through a VPN or a gateway only.",
    ),
    _service(
        "DNS", "domain mdns", r"\bdns\b|dnsmasq|\bbind 9|\bnamed\b|dnssec|resolver", "udp", (53,),
        "Answer your own networks only: `allow-recursion` and `allow-query-cache` in BIND, `access-control` in Unbound, "
        "`local-service` or `interface` in dnsmasq; port 53 belongs closed towards the internet where you host no zone.",
    ),
    _service(
        "SNMP", "snmp", r"\bsnmp", "udp", (161,),
        "Replace the communities `public` and `private`, or use version 3 with authentication and encryption; allow no writing.",
    ),
    _service(
        "Telnet", "telnet", r"\btelnet", "tcp", (23,), "Switch it off and use SSH: everything goes over the line readable.",
    ),
    _service("FTP", "ftp", r"\bftpd?\b|vsftpd|proftpd", "tcp", (21,), "Switch it off, or use SFTP; allow no anonymous log-in and no anonymous upload."),
    _service(
        "RTSP", "rtsp", r"\brtsp\b|ip camera|network camera|surveillance", "tcp", (554,),
        "Keep cameras and recorders in a network of their own: only the recorder reaches the cameras, and neither reaches the internet.",
    ),
    _service("VNC", "vnc", r"\bvnc\b", "tcp", (5900,), "Reach it through SSH or a VPN only."),
    _service("UPnP", "upnp ssdp", r"\bupnp\b|\bssdp\b", "udp", (1900,), "Switch it off on the router; forward the few ports you need by hand."),
    _service("Printing", "ipp jetdirect printer pdl-datastream", r"\bprinters?\b|\bcups\b|\bipp\b|jetdirect", "tcp", (515, 631, 9100), "Let only the print server reach printers."),
    _service("MySQL", "mysql mysqlx", r"mysql|mariadb", "tcp", (3306,), "`bind-address = 127.0.0.1` where only this machine uses it."),
    _service("PostgreSQL", "postgresql", r"postgresql", "tcp", (5432,), "Narrow `listen_addresses` and `pg_hba.conf` to those who use it."),
    _service("Redis", "redis", r"\bredis\b", "tcp", (6379,), "`bind 127.0.0.1`, `protected-mode yes` and a password (`requirepass` or ACLs)."),
    _service("Memcached", "memcached", r"memcached?", "tcp", (11211,), "`-l 127.0.0.1 -U 0`: no UDP, no other addresses."),
    _service("MongoDB", "mongodb", r"mongodb", "tcp", (27017,), "`net.bindIp` and `security.authorization: enabled`."),
    _service("MQTT", "mqtt", r"\bmqtt\b|mosquitto", "tcp", (1883,), "`allow_anonymous false`, and TLS."),
    _service("Mail", "smtp imap pop3", r"\bsmtp\b|exim|postfix|dovecot|\bimap\b|sendmail", "tcp", (25, 143, 587), "Ports for users (submission, IMAP) can go behind a VPN until it is fixed; port 25 has to stay open."),
    _service("LDAP", "ldap", r"\bldap\b(?! injection)|active directory", "tcp", (389, 636), "Ask for signing and channel binding; never reachable from the internet."),
    _service("NTP", "ntp", r"\bntpd?\b", "udp", (123,), "`restrict default nomodify noquery`: answer time, and nothing else."),
    _service("IPsec", "isakmp", r"\bikev?[12]?\b|ipsec", "udp", (500, 4500), "Accept known peers only, by address."),
    _service("RPC", "msrpc rpcbind dce-rpc", r"\brpc\b|portmap", "tcp", (111, 135), "It belongs inside a network, never at its border."),
    _service("SIP", "sip", r"\bsip\b|asterisk", "udp", (5060,), "Accept your provider's addresses and your phones' network only."),
    _service(
        _WEB, "http https http-proxy http-alt ajp13", r"\bhttps?\b(?!:)|web (?:interface|server|application|management|ui)|nginx|apache|\bphp\b|tomcat|httpd",
        "tcp", (80, 443, 8080, 8443),
        "Put a management page behind a VPN or a jump host. A public site: a reverse proxy with rules for this CVE, if your "
        "proxy's vendor has them, and the module or page at fault switched off.",
    ),
)  # fmt: skip


def build_workarounds(facts: CveFacts, touched: Touched, names: Sequence[tuple[str, str, str]]) -> list[str]:
    """Blocks of Markdown for the services on which the touched devices show the CVE, with their ports.

    `names` are the products that it is about. Where no device is touched: for the services that the products, else the
    description, name, and with the usual ports.
    """
    ports = [one for one in touched.ports if not is_routeros_service(one.name)]
    found = _services_of(facts, ports, names)
    only_devices = bool(names) and all(is_firmware(name) for name in names)
    lines = [f"- **{one.title}**: {one.advice}" for one in found if not (only_devices and one.title == _WEB)]
    if any(is_firmware(name) for name in names):
        lines.append(_DEVICE_ADVICE)
    chosen = [(one.protocol, one.port) for one in ports]
    if not chosen:
        usual = _ports_in_words([(one.protocol, port) for one in found for port in one.ports])
        if usual:
            lines.append(f"- **Firewall**: let only those who need it reach it; usually it is on {usual}.")
        return ["\n".join(lines)] if lines else []
    blocks = ["\n".join(lines)] if lines else []
    blocks += _router_rules(facts.cve_id, touched, chosen)
    if not all(is_firmware(name) or name[1] == "microsoft" for name in names):
        blocks += _nftables(chosen)
    return blocks


def _services_of(
    facts: CveFacts, ports: Sequence[Port], names: Sequence[tuple[str, str, str]]
) -> list[ServiceAdvice]:
    seen = [one for one in SERVICES if any(port.name in one.names for port in ports)]
    words = " ".join(product_name(name) for name in names)
    found = seen or [one for one in SERVICES if one.words.search(words)]
    return (found or [one for one in SERVICES if one.words.search(facts.description)])[:MAX_ADVICE]


def _router_rules(cve_id: str, touched: Touched, chosen: Sequence[tuple[str, int]]) -> list[str]:
    """Rules for the MikroTik router in front of the devices, with their addresses and the ports seen."""
    addresses = valid_addresses(one.address for one in touched.devices)
    name = valid_cve(cve_id)
    rules = [
        f"/ip firewall filter add chain=forward action=drop protocol={protocol} dst-port={port_list(ports)} "
        f'dst-address-list={name} src-address-list=!management place-before=0 comment="{name}"'
        for protocol, ports in _grouped(chosen)
    ]
    if not addresses or not rules:
        return []
    lines = [f"/ip firewall address-list add list=management address={MANAGEMENT}"]
    lines += [f"/ip firewall address-list add list={name} address={address}" for address in addresses]
    return [
        (
            f"On the MikroTik router in front of them, close the ports seen ({_ports_in_words(chosen)}) to all but `{MANAGEMENT}`, "
            "the network that must reach them. Take the addresses of the site that the router is at. It stops what passes the "
            "router; machines on the same segment reach each other past it."
        ),
        fenced([*lines, *rules], "routeros"),
    ]


def _ports_in_words(chosen: Sequence[tuple[str, int]]) -> str:
    return "; ".join(f"{protocol.upper()} {port_list(ports, ', ')}" for protocol, ports in _grouped(chosen))


def _grouped(chosen: Sequence[tuple[str, int]]) -> list[tuple[str, list[int]]]:
    by_protocol: dict[str, list[int]] = {}
    for protocol, port in chosen:
        if protocol in {"tcp", "udp"}:
            by_protocol.setdefault(protocol, []).append(port)
    return [(protocol, ports) for protocol, ports in sorted(by_protocol.items()) if valid_ports(ports)]


def _nftables(chosen: Sequence[tuple[str, int]]) -> list[str]:
    rules = []
    for protocol, ports in _grouped(chosen):
        match = f"{protocol} dport {{ {port_list(ports, ', ')} }}"
        rules.append(f"    {match} ip saddr != {{ 127.0.0.0/8, {MANAGEMENT} }} drop")
        rules.append(f"    {match} meta nfproto ipv6 iif != lo drop")
    if not rules:
        return []
    lines = [
        "table inet netvigil_workaround {",
        "  chain input {",
        "    type filter hook input priority -10; policy accept;",
        *rules,
        "  }",
        "}",
    ]
    return [
        (
            f"A Linux machine itself closes the ports seen to all but `{MANAGEMENT}` with a table of its own. Save it as "
            "`workaround.nft`, put the network in, load it with `nft -f workaround.nft`, and undo it with "
            "`nft delete table inet netvigil_workaround`:"
        ),
        fenced(lines, "nft"),
    ]
