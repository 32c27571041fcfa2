"""PURE: MikroTik RouterOS: how to update it in its channel, and how to close what a CVE is in until then."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from netvigil.matching.cpe import ANY, NA, unescape
from netvigil.mitigation.commands import MANAGEMENT, port_list, valid_cve, valid_ports
from netvigil.mitigation.markdown import escape_markdown, fenced
from netvigil.mitigation.versions import version_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netvigil.matching.cpe import Cpe
    from netvigil.mitigation.facts import Port, Touched

PRODUCT: Final = ("o", "mikrotik", "routeros")
_CHANNELS: Final = {"ltr": "long-term", NA: "stable", "testing": "testing"}
_SEVEN: Final = 7
_CONSOLE: Final = "routeros"


class Component(NamedTuple):
    """A part of RouterOS: what descriptions call it, its usual ports, and how it is closed.

    `names` are what a scan calls its service. `close` is commands; in them `{M}` is the management network.
    """

    title: str
    words: re.Pattern[str]
    names: tuple[str, ...]
    protocol: str
    ports: tuple[int, ...]
    close: tuple[str, ...]


def _component(
    title: str, words: str, names: str, protocol: str, ports: tuple[int, ...], *close: str
) -> Component:
    return Component(title, re.compile(words, re.IGNORECASE), tuple(names.split()), protocol, ports, close)


def _ip_service(title: str, words: str, names: str, port: int, service: str) -> Component:
    close = (
        f"/ip service set {service} address={{M}}",
        f"# or, where nobody needs it: /ip service disable {service}",
    )
    return _component(title, words, names, "tcp", (port,), *close)


COMPONENTS: Final = (
    _component(
        "WinBox", r"win\s?box|\b8291\b", "winbox", "tcp", (8291,),
        "/ip service set winbox address={M}",
        "# or, where nobody needs it: /ip service disable winbox",
        "/tool mac-server mac-winbox set allowed-interface-list=none",
    ),
    _component(
        "WebFig and REST", r"web\s?fig|\bwww\b|\bhttps?\b(?!:)|web (?:interface|server|management)|\bREST\b|jsproxy|graphing",
        "http https http-proxy", "tcp", (80, 443),
        "/ip service set www,www-ssl address={M}",
        "# or, where nobody needs it: /ip service disable www,www-ssl",
    ),
    _ip_service("SSH", r"\bssh\b|\bsftp\b", "ssh", 22, "ssh"),
    _ip_service("Telnet", r"\btelnet\b(?!\s+client)", "telnet", 23, "telnet"),
    _ip_service("FTP", r"\bftp\b", "ftp", 21, "ftp"),
    _component(
        "API", r"\bAPI\b(?! key)", "routeros-api", "tcp", (8728, 8729),
        "/ip service set api,api-ssl address={M}", "# or, where nobody needs it: /ip service disable api,api-ssl",
    ),
    _component(
        "Bandwidth test", r"bandwidth[- ]?test|\bbtest\b", "bandwidth-test", "tcp", (2000,), "/tool bandwidth-server set enabled=no",
    ),
    _component(
        "Neighbour discovery", r"\bMNDP\b|neighbou?r discovery protocol|\bCDP\b|\bLLDP\b", "mndp", "udp", (5678,),
        "/ip neighbor discovery-settings set discover-interface-list=none",
    ),
    _component(
        "SNMP", r"\bsnmp\b", "snmp", "udp", (161,),
        "/snmp community set [find default=yes] addresses={M} write-access=no",
        "# or, where nobody needs it: /snmp set enabled=no",
    ),
    _component("SMB", r"\bsmb\b|samba|netbios", "microsoft-ds netbios-ssn netbios-ns", "tcp", (139, 445), "/ip smb set enabled=no"),
    _component(
        "DNS", r"\bdns\b|name server|resolver", "domain", "udp", (53,),
        "# only where no client uses the router as its resolver; otherwise close port 53 towards the internet",
        "/ip dns set allow-remote-requests=no",
    ),
    _component("UPnP", r"\bupnp\b", "upnp ssdp", "udp", (1900,), "/ip upnp set enabled=no"),
    _component("SOCKS", r"\bsocks\b", "socks socks5", "tcp", (1080,), "/ip socks set enabled=no"),
    _component("Web proxy", r"web proxy|http proxy", "http-proxy", "tcp", (8080,), "/ip proxy set enabled=no"),
    _component("RoMON", r"\bromon\b", "", "udp", (), "/tool romon set enabled=no"),
    _component("MAC Telnet", r"mac[- ]telnet|mac[- ]server", "", "udp", (20561,), "/tool mac-server set allowed-interface-list=none"),
    _component("PPTP", r"\bpptp\b", "pptp", "tcp", (1723,), "/interface pptp-server server set enabled=no"),
    _component("L2TP", r"\bl2tp\b", "l2tp", "udp", (1701,), "/interface l2tp-server server set enabled=no"),
    _component("SSTP", r"\bsstp\b", "sstp", "tcp", (), "/interface sstp-server server set enabled=no"),
    _component("IPsec", r"\bike(?:v[12])?\b|ipsec", "isakmp", "udp", (500, 4500), "/ip ipsec peer print"),
    _component(
        "IPv6", r"\bipv6\b|icmpv6|\bradvd\b|router advertisement", "", "udp", (),
        "# where IPv6 is not used", "/ipv6 settings set disable-ipv6=yes accept-router-advertisements=no",
    ),
    _component("SCEP", r"\bscep\b", "", "tcp", (), "/certificate scep-server print"),
    _component("Hotspot", r"\bhotspot\b", "", "tcp", (), "/ip hotspot print"),
)  # fmt: skip
_MANAGEMENT_TITLES: Final = ("WinBox", "WebFig and REST", "SSH", "Telnet", "FTP", "API")


def is_routeros(name: tuple[str, str, str]) -> bool:
    """Whether (part, vendor, product) is RouterOS, under whichever of its names."""
    return name[1] == "mikrotik" and "router" in name[2] and "firmware" not in name[2]


def is_routeros_service(name: str | None) -> bool:
    """Whether a service of that name is RouterOS's own, which only RouterOS closes."""
    return name in {"winbox", "routeros-api", "mndp", "bandwidth-test"}


def build_upgrade(cve_id: str, touched: Touched, fixes: Sequence[str]) -> list[str]:
    """Blocks of Markdown: how to update, in the channels and major versions that were seen; `fixes` are goals in words."""
    mine = [product for product in touched.products if is_routeros(product.name)]
    channels = _channels(mine)
    blocks = [
        _goal(mine, fixes),
        "On each router, first a backup that you copy off it (both commands work alike in version 6 and 7):",
        fenced(
            (
                f"/system backup save name=before-{valid_cve(cve_id)}",
                f"/export file=before-{valid_cve(cve_id)}",
            ),
            _CONSOLE,
        ),
        (
            f"Then the update. {_channel_words(channels, known=any(one.sw_edition != ANY for one in mine))} "
            "`install` downloads, and restarts the router: plan for some minutes without it."
        ),
        fenced(
            (
                f"/system package update set channel={channels[0]}",
                *(f"# other routers: set channel={other}" for other in channels[1:]),
                "/system package update check-for-updates",
                "# compare latest-version with the fixed version above before you go on",
                "/system package update install",
            ),
            _CONSOLE,
        ),
        "After the restart the boot loader, which an update leaves at its old version (not on CHR and x86):",
        fenced(("/system routerboard upgrade", "/system reboot", "/system resource print"), _CONSOLE),
    ]
    return [*blocks, _major_notes(mine, fixes)]


def build_workarounds(cve_id: str, description: str, touched: Touched) -> list[str]:
    """Blocks of Markdown: how to close the parts that the CVE is in, with the ports that were seen on the devices.

    Where the description names no part, those that manage the router are closed to strangers.
    """
    named = [one for one in COMPONENTS if one.words.search(description)]
    parts = named or [one for one in COMPONENTS if one.title in _MANAGEMENT_TITLES]
    titles = ", ".join(one.title for one in parts)
    why = (
        f"The description names {titles}."
        if named
        else ("The description names no part of RouterOS, so close all that manages it to strangers.")
    )
    lines = [line.format(M=MANAGEMENT) for one in parts for line in one.close]
    blocks = [
        (
            f"{why} Put the network that you manage from, such as 10.0.10.0/24, in place of `{MANAGEMENT}`, and switch on "
            "Safe Mode (Ctrl+X) before, so that a mistake that locks you out undoes itself."
        ),
        fenced(lines, _CONSOLE),
    ]
    rules, words = _firewall(cve_id, parts, touched.ports)
    if rules:
        blocks += [words, fenced(rules, _CONSOLE)]
    return blocks


def build_checks() -> list[str]:
    """Blocks of Markdown: where to look whether somebody was there before, for a CVE that is exploited."""
    return [
        (
            "It is being exploited, so look whether somebody was there before you. What you did not make yourself is a reason to "
            "reinstall with Netinstall and to restore from a backup that is older than the intrusion, not from one made today:"
        ),
        fenced(
            (
                "/user print",
                "/system scheduler print",
                "/system script print",
                "/ip socks print",
                "/ip proxy print",
                "/ip dns static print",
                "/ip firewall nat print",
                "/ppp secret print",
                "/interface print",
                "/file print",
                "/log print",
            ),
            _CONSOLE,
        ),
        (
            "After the update change the passwords of all users, PPP secrets, Wi-Fi keys and SNMP communities: where files or "
            "memory could be read, they are known."
        ),
    ]


def _goal(mine: Sequence[Cpe], fixes: Sequence[str]) -> str:
    if not fixes:
        return (
            "The data name no fixed version of RouterOS: take the newest of the channel and compare it with "
            "[MikroTik's change log](<https://mikrotik.com/download/changelogs>)."
        )
    shown = "; or ".join(escape_markdown(one, 80) for one in fixes)
    seen = sorted({unescape(one.version) for one in mine if one.version not in (ANY, NA)}, key=version_key)
    words = f" Seen here: {', '.join(escape_markdown(one, 40) for one in seen[:8])}." if seen else ""
    return f"Goal: RouterOS {shown}.{words}"


def _channels(mine: Sequence[Cpe]) -> list[str]:
    """The channels seen, else the two that people run; the most careful first."""
    seen = {_CHANNELS[one.sw_edition] for one in mine if one.sw_edition in _CHANNELS}
    ordered: list[str] = [one for one in ("long-term", "stable", "testing") if one in seen]
    return ordered or ["stable", "long-term"]


def _channel_words(channels: Sequence[str], *, known: bool) -> str:
    if known:
        return f"Your routers showed the channel {' and '.join(f'`{one}`' for one in channels)}: stay in it."
    return (
        "Stay in the channel that the router is in (`/system package update print` shows it): `stable`, `long-term`, or "
        "`testing`, which no production router should be in."
    )


def _major_notes(mine: Sequence[Cpe], fixes: Sequence[str]) -> str:
    majors = {version_key(unescape(one.version))[0][:1] for one in mine if one.version not in (ANY, NA)}
    fixed = {version_key(one)[0][:1] for one in fixes}
    notes = [
        "- Without internet: put the `.npk` files of its architecture (`/system resource print`) on the router and restart it."
    ]
    if not majors or (6,) in majors:
        notes.append(
            "- Version 6 of 2018 and before calls the channels `bugfix` (long-term), `current` (stable) and `release-candidate` (testing)."
        )
    if (6,) in majors and fixed == {(_SEVEN,)}:
        notes.append(
            "- **The fix is in version 7 only.** From 6.49 the way there is `/system package update set channel=upgrade`. Read the "
            "release notes first: BGP, OSPF, routing filters and Wi-Fi are configured differently, and devices with 16 MB of flash "
            "may lack the room. Try it on one router that you can reach on site."
        )
    elif not majors or (6,) in majors:
        notes.append(
            "- A router on version 6 stays on 6 with these commands; version 7 would be `channel=upgrade`, which converts routing "
            "configuration and is a project of its own."
        )
    return "\n".join(notes)


def _firewall(cve_id: str, parts: Sequence[Component], seen: Sequence[Port]) -> tuple[list[str], str]:
    """Rules for the ports of these parts: those seen on the devices, else the usual ones."""
    by_protocol: dict[str, list[int]] = {}
    any_seen = False
    for part in parts:
        found = [(one.protocol, one.port) for one in seen if one.name in part.names]
        any_seen = any_seen or bool(found)
        for protocol, port in found or [(part.protocol, port) for port in part.ports]:
            by_protocol.setdefault(protocol, []).append(port)
    comment = valid_cve(cve_id)
    rules = [
        f"/ip firewall filter add chain=input action=drop protocol={protocol} dst-port={port_list(ports)} "
        f'src-address-list=!management place-before=0 comment="{comment}"'
        for protocol, ports in sorted(by_protocol.items())
        if protocol in {"tcp", "udp"} and valid_ports(ports)
    ]
    if not rules:
        return [], ""
    words = "These are the ports seen on your devices" if any_seen else "These are the usual ports"
    return [
        f"/ip firewall address-list add list=management address={MANAGEMENT}",
        *rules,
    ], (
        f"Or, for all addresses of the router at once, in its firewall. {words}. A router without any rule yet takes no "
        "`place-before=0`; where it has IPv6 addresses, the same belongs into `/ipv6 firewall`."
    )
