"""PURE: products as people write them: a CPE's `mikrotik:routeros` is MikroTik RouterOS."""

from __future__ import annotations

from typing import Final

from netvigil.matching.cpe import unescape
from netvigil.mitigation.vendors import VENDORS

_PRODUCTS: Final = {
    "apache:http_server": "Apache HTTP Server",
    "apache:log4j": "Apache Log4j",
    "apache:tomcat": "Apache Tomcat",
    "busybox:busybox": "BusyBox",
    "dropbear_ssh_project:dropbear_ssh": "Dropbear SSH",
    "exim:exim": "Exim",
    "f5:nginx": "nginx",
    "haxx:curl": "curl",
    "ietf:http": "HTTP/2",
    "isc:bind": "ISC BIND",
    "lighttpd:lighttpd": "lighttpd",
    "linux:linux_kernel": "Linux kernel",
    "mariadb:mariadb": "MariaDB",
    "microsoft:server_message_block": "Microsoft SMB (Windows)",
    "mikrotik:routeros": "MikroTik RouterOS",
    "mikrotik:router_os": "MikroTik RouterOS",
    "mikrotik:swos": "MikroTik SwOS",
    "mikrotik:winbox": "MikroTik WinBox",
    "net-snmp:net-snmp": "Net-SNMP",
    "nginx:nginx": "nginx",
    "openbsd:openssh": "OpenSSH",
    "openssl:openssl": "OpenSSL",
    "oracle:mysql": "MySQL",
    "php:php": "PHP",
    "postgresql:postgresql": "PostgreSQL",
    "proftpd:proftpd": "ProFTPD",
    "redis:redis": "Redis",
    "samba:samba": "Samba",
    "thekelleys:dnsmasq": "dnsmasq",
    "tukaani:xz": "XZ Utils",
    "vsftpd_project:vsftpd": "vsftpd",
    "w1.fi:hostapd": "hostapd",
    "w1.fi:wpa_supplicant": "wpa_supplicant",
}
_SMALL: Final = {"firmware", "for", "and", "of", "the"}
_ABBREVIATIONS: Final = {
    "os",
    "ios",
    "xe",
    "xr",
    "ip",
    "sql",
    "ssh",
    "vpn",
    "ssl",
    "http",
    "ftp",
    "dns",
    "lts",
    "nvr",
    "dvr",
    "api",
}
# Named in records beside the program itself; there the distribution's package decides, not the release.
_DISTRIBUTIONS: Final = (
    ("almalinux", "", "AlmaLinux"), ("alpinelinux", "", "Alpine"), ("amazon", "linux", "Amazon Linux"),
    ("canonical", "ubuntu", "Ubuntu"), ("centos", "", "CentOS"), ("debian", "debian_linux", "Debian"),
    ("fedoraproject", "", "Fedora"), ("freebsd", "freebsd", "FreeBSD"), ("netbsd", "netbsd", "NetBSD"), ("opensuse", "", "openSUSE"),
    ("oracle", "linux", "Oracle Linux"), ("redhat", "", "Red Hat"), ("rocky", "", "Rocky Linux"), ("suse", "", "SUSE"),
)  # fmt: skip


def product_name(name: tuple[str, str, str]) -> str:
    """(part, vendor, product) as one writes it; the vendor once where the product repeats it."""
    vendor, product = unescape(name[1]), unescape(name[2])
    known = _PRODUCTS.get(f"{vendor}:{product}")
    if known is not None:
        return known
    maker = VENDORS[vendor].name if vendor in VENDORS else _words(vendor.removesuffix("_project"))
    what = _words(product)
    return what if what.lower().startswith(maker.lower()) else f"{maker} {what}"


def distribution_of(name: tuple[str, str, str]) -> str | None:
    """What to call it where it is an operating system that packages others' programs; None for everything else."""
    return next(
        (
            words
            for vendor, product, words in _DISTRIBUTIONS
            if name[1] == vendor and name[2].startswith(product)
        ),
        None,
    )


def is_distribution(name: tuple[str, str, str]) -> bool:
    """Whether it is an operating system that packages others' programs."""
    return distribution_of(name) is not None


def _words(text: str) -> str:
    return " ".join(_word(one) for one in text.replace("_", " ").split())


def _word(word: str) -> str:
    if word in _SMALL:
        return word
    if word in _ABBREVIATIONS or (any(map(str.isdigit, word)) and not word.isdigit()):
        return word.upper()
    return word[:1].upper() + word[1:]
