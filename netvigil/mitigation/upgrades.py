"""PURE: how to install the fix: Debian, Ubuntu, Alpine, Red Hat and kin, Windows, firmware, and programs from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netvigil.matching.aliases import preferred
from netvigil.matching.package_versions import Scheme
from netvigil.matching.packages import package_names
from netvigil.mitigation import routeros
from netvigil.mitigation.commands import valid_package
from netvigil.mitigation.markdown import code, escape_markdown, fenced, link
from netvigil.mitigation.names import is_distribution, product_name
from netvigil.mitigation.vendors import TRACKERS, is_firmware, vendor_of
from netvigil.mitigation.versions import goals

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netvigil.mitigation.facts import CveFacts, Touched
    from netvigil.mitigation.versions import ProductFix

    Name = tuple[str, str, str]

PACKAGES_SHOWN: Final = 6
VENDORS_SHOWN: Final = 6
_KERNEL: Final = ("o", "linux", "linux_kernel")
_KERNEL_PACKAGES: Final = {"linux", "linux-signed", "linux-meta"}
# What Debian's source packages install that matters here; for others the command asks dpkg.
_BINARIES: Final = {
    "apache2": "apache2 apache2-bin",
    "bind9": "bind9 bind9-libs",
    "cups": "cups cups-daemon",
    "dnsmasq": "dnsmasq dnsmasq-base",
    "dropbear": "dropbear-bin",
    "exim4": "exim4-base exim4-daemon-light exim4-daemon-heavy",
    "net-snmp": "snmpd libsnmp-base",
    "openssh": "openssh-server openssh-client",
    "proftpd-dfsg": "proftpd-core proftpd-basic",
    "samba": "samba samba-common-bin smbclient",
}
# Services to restart by the package; a library's users are found by needrestart.
_UNITS: Final = {
    "apache2": "apache2", "bind9": "named", "dnsmasq": "dnsmasq", "nginx": "nginx", "openssh": "ssh", "samba": "smbd nmbd",
    "vsftpd": "vsftpd", "proftpd-dfsg": "proftpd", "exim4": "exim4", "cups": "cups", "dovecot": "dovecot", "redis": "redis-server",
    "unbound": "unbound", "squid": "squid", "haproxy": "haproxy", "mosquitto": "mosquitto", "net-snmp": "snmpd",
}  # fmt: skip
_ALPINE_PACKAGES: Final = {
    "openssh": "openssh-server openssh",
    "bind": "bind bind-libs",
    "samba": "samba samba-server",
}


def build_upgrades(
    facts: CveFacts, touched: Touched, products: Sequence[ProductFix]
) -> list[tuple[str, list[str]]]:
    """Pairs of heading and blocks, for each kind of product that the CVE is in; what the organisation has comes first."""
    names = [one.name for one in touched.products] or [
        one for one in facts.products if not is_distribution(one)
    ]
    sections: list[tuple[str, list[str]]] = []
    routers = [one for one in products if any(routeros.is_routeros(name) for name in one.names)]
    if any(routeros.is_routeros(name) for name in names):
        sections.append(("MikroTik RouterOS", routeros.build_upgrade(facts.cve_id, touched, goals(routers))))
    sections += _distributions(facts, touched, names)
    if windows := [name for name in names if name[1] == "microsoft"]:
        sections.append(("Microsoft", _microsoft(facts, windows)))
    rest = [
        name
        for name in names
        if not (routeros.is_routeros(name) or name[1] == "microsoft" or name == _KERNEL)
    ]
    if firmware := [name for name in rest if is_firmware(name)]:
        sections.append(("Firmware", _firmware(firmware)))
    if others := [name for name in rest if not is_firmware(name)]:
        sections.append(("Installed from the vendor or from source", _others(others, products)))
    return sections


def packages_of(facts: CveFacts, touched: Touched, ecosystem: str) -> list[str]:
    """The packages in which the product is there: those that the fix data name, else those of our table."""
    named = [fix.package for fix in facts.fixes if fix.ecosystem == ecosystem]
    if not named:
        scheme = (
            Scheme.ALPINE
            if ecosystem == "Alpine"
            else Scheme.RPM
            if ecosystem == "Red Hat"
            else Scheme.DEBIAN
        )
        versions = {one.name: one.version for one in touched.products}
        for name in versions or facts.products:
            # a package whose name has the version in it is known for a known version only
            found = package_names(preferred(*name), scheme, versions.get(name, ""))
            named += [one for one in found if versions.get(name) or "0" not in one]
        named += ["linux"] if _KERNEL in (versions or facts.products) else []
    return [one for one in dict.fromkeys(named) if valid_package(one)][:PACKAGES_SHOWN]


def _distributions(facts: CveFacts, touched: Touched, names: Sequence[Name]) -> list[tuple[str, list[str]]]:
    known = touched.distributions or {fix.ecosystem for fix in facts.fixes}
    sections = []
    for ecosystems, title, build in (
        (("Debian", "Ubuntu"), "Debian and Ubuntu", _debian),
        (("Alpine",), "Alpine Linux", _alpine),
        (("Red Hat", "AlmaLinux", "Rocky Linux"), "Red Hat, AlmaLinux, Rocky Linux", _red_hat),
    ):
        if touched.distributions and not touched.distributions & set(ecosystems):
            continue
        packages = list(
            dict.fromkeys(package for one in ecosystems for package in packages_of(facts, touched, one))
        )[:PACKAGES_SHOWN]
        if packages:
            trackers = " · ".join(
                shown
                for one in ecosystems
                if one in TRACKERS
                and (shown := link(TRACKERS[one].format(cve=facts.cve_id), f"{one} on {facts.cve_id}"))
            )
            sections.append((title, [*build(packages), f"State of the releases: {trackers}."]))
    # distributions that were seen, or that have data, before the others
    order = sorted(sections, key=lambda one: not any(word in one[0] for word in known))
    return order if names or known else []


def _debian(packages: Sequence[str]) -> list[str]:
    if set(packages) & _KERNEL_PACKAGES:
        lines = [
            "sudo apt-get update",
            "sudo apt-get full-upgrade   # brings the new kernel package",
            "sudo reboot",
            "uname -r",
        ]
        return ["The kernel is fixed by a new package and a restart:", fenced(lines, "sh")]
    lines = ["sudo apt-get update"]
    for package in packages:
        binaries = _BINARIES.get(package)
        if binaries is None:
            lines.append(
                "sudo apt-get install --only-upgrade $(dpkg-query -W -f='${db:Status-Abbrev} ${source:Package} ${binary:Package}\\n' "
                f'| awk \'$1 == "ii" && $2 == "{package}" {{print $3}}\')'
            )
        else:
            lines.append(f"sudo apt-get install --only-upgrade {binaries}")
    units = " ".join(_UNITS[one] for one in packages if one in _UNITS)
    lines.append(
        f"sudo systemctl restart {units}"
        if units
        else "sudo needrestart -r a   # restarts what still uses the old files"
    )
    shown = ", ".join(code(one) for one in packages)
    return [
        (
            f"Source package {shown}. A distribution keeps the upstream version and adds the fix, so compare the package's full "
            "version (`apt-cache policy`), not the one in a banner."
        ),
        fenced(lines, "sh"),
    ]


def _alpine(packages: Sequence[str]) -> list[str]:
    names = " ".join(_ALPINE_PACKAGES.get(one, "linux-lts" if one == "linux" else one) for one in packages)
    lines = ["apk update", f"apk upgrade {names}", f"apk version -v {names}"]
    return [
        "In containers rebuild the image from an updated base instead.",
        fenced(lines, "sh"),
    ]


def _red_hat(packages: Sequence[str]) -> list[str]:
    names = " ".join("kernel" if one == "linux" else one for one in packages)
    lines = [f"sudo dnf upgrade {names}", f"rpm -q --changelog {names} | grep -i cve | head"]
    return ["The package's change log names the CVEs that it fixes.", fenced(lines, "sh")]


def _microsoft(facts: CveFacts, names: Sequence[Name]) -> list[str]:
    cve_id = facts.cve_id
    page = link(TRACKERS["Microsoft"].format(cve=cve_id), f"Microsoft on {cve_id}")
    system = any("windows" in name[2] for name in names) or "windows" in facts.description.lower()
    lines = [
        "# PowerShell: what is installed, newest first",
        "Get-HotFix | Sort-Object InstalledOn -Descending | Select-Object -First 10",
        "# look for updates now",
        "UsoClient StartInteractiveScan",
    ]
    words = f"The number (KB) of the update for each version is on the page {page}. "
    if not system:
        return [f"{words}Install it through the product's own update or Microsoft Update."]
    return [
        f"{words}Install it through Windows Update or WSUS and restart. A Windows out of support gets none: separate or replace it.",
        fenced(lines, "powershell"),
    ]


def _vendor_links(names: Iterable[Name]) -> str:
    vendors = dict.fromkeys(vendor for name in names if (vendor := vendor_of(name)) is not None)
    shown = [link(one.url, one.name) for one in list(vendors)[:VENDORS_SHOWN]]
    return ", ".join(one for one in shown if one)


def _firmware(names: Sequence[Name]) -> list[str]:
    pages = _vendor_links(names)
    where = (
        f"Advisories and firmware: {pages}." if pages else "Look for firmware at the vendor's support page."
    )
    return [
        (
            f"- {where} Take the file for the exact model and hardware revision, and check its checksum.\n"
            "- Save the configuration first; do not cut the power during the update.\n"
            "- Check the version afterwards, and that settings such as passwords, UPnP and cloud access are as you left them.\n"
            "- Where there is no newer firmware, the device is out of support: replace it, or keep it in a network of its own that "
            "cannot reach the internet or your other devices."
        )
    ]


def _others(names: Sequence[Name], products: Sequence[ProductFix]) -> list[str]:
    called = list(dict.fromkeys(product_name(name) for name in names))
    shown = [escape_markdown(one, 80) for one in called[:VENDORS_SHOWN]]
    pages = _vendor_links(names)
    more = f" and {len(called) - len(shown)} more" if len(called) > len(shown) else ""
    where = f" Advisories: {pages}." if pages else ""
    lines = [
        f"- {', '.join(shown)}{more}: install the fixed version of the table above from where you got the program.{where}",
        "- A library is often inside other programs: each of them needs its own update, so ask their vendors too.",
    ]
    if any("log4j" in name[2] for name in names):
        lines.append(
            "- Copies are found with `find / -xdev -name 'log4j-core-*.jar'`, and inside other archives by `unzip -l`."
        )
    if not any(one.ranges for one in products):
        lines.append("- No fixed version is known; follow the vendor's advisory.")
    return ["\n".join(lines)]
