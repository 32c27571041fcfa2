"""PURE: where vendors publish their security advisories and firmware, and what to mind when the fix is a firmware.

Add a line to VENDORS for another vendor: CPE's vendor name, how people call it, its page.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from netvigil.matching.cpe import unescape


class Vendor(NamedTuple):
    """A vendor's name and its page of advisories or firmware."""

    name: str
    url: str


VENDORS: Final[dict[str, Vendor]] = {
    "apple": Vendor("Apple", "https://support.apple.com/en-us/100100"),
    "arubanetworks": Vendor(
        "HPE Aruba", "https://www.arubanetworks.com/support-services/security-bulletins/"
    ),
    "asus": Vendor("ASUS", "https://www.asus.com/security-advisory"),
    "axis": Vendor("Axis", "https://www.axis.com/support/cybersecurity"),
    "brother": Vendor("Brother", "https://support.brother.com/"),
    "canon": Vendor("Canon", "https://psirt.canon/"),
    "checkpoint": Vendor("Check Point", "https://support.checkpoint.com/"),
    "cisco": Vendor("Cisco", "https://sec.cloudapps.cisco.com/security/center/publicationListing.x"),
    "citrix": Vendor("Citrix", "https://support.citrix.com/"),
    "d-link": Vendor("D-Link", "https://supportannouncement.us.dlink.com/"),
    "dlink": Vendor("D-Link", "https://supportannouncement.us.dlink.com/"),
    "dahuasecurity": Vendor("Dahua", "https://www.dahuasecurity.com/"),
    "dell": Vendor("Dell", "https://www.dell.com/support/security"),
    "draytek": Vendor("DrayTek", "https://www.draytek.com/about/security-advisory"),
    "epson": Vendor("Epson", "https://epson.com/Support"),
    "f5": Vendor("F5", "https://my.f5.com/"),
    "fortinet": Vendor("Fortinet", "https://www.fortiguard.com/psirt"),
    "grandstream": Vendor("Grandstream", "https://www.grandstream.com/support/firmware"),
    "hikvision": Vendor("Hikvision", "https://www.hikvision.com/en/support/cybersecurity/security-advisory/"),
    "hp": Vendor("HP", "https://support.hp.com/us-en/security-bulletins"),
    "huawei": Vendor("Huawei", "https://www.huawei.com/en/psirt"),
    "ivanti": Vendor("Ivanti", "https://www.ivanti.com/blog/topics/security-advisory"),
    "juniper": Vendor("Juniper", "https://supportportal.juniper.net/"),
    "lexmark": Vendor("Lexmark", "https://www.lexmark.com/"),
    "microsoft": Vendor("Microsoft", "https://msrc.microsoft.com/update-guide/"),
    "mikrotik": Vendor("MikroTik", "https://mikrotik.com/download/changelogs"),
    "netgear": Vendor("NETGEAR", "https://www.netgear.com/about/security/"),
    "oracle": Vendor("Oracle", "https://www.oracle.com/security-alerts/"),
    "paloaltonetworks": Vendor("Palo Alto Networks", "https://security.paloaltonetworks.com/"),
    "qnap": Vendor("QNAP", "https://www.qnap.com/en/security-advisories"),
    "ricoh": Vendor("Ricoh", "https://www.ricoh.com/"),
    "schneider-electric": Vendor("Schneider Electric", "https://www.se.com/"),
    "siemens": Vendor("Siemens", "https://www.siemens.com/cert"),
    "sonicwall": Vendor("SonicWall", "https://psirt.global.sonicwall.com/"),
    "synology": Vendor("Synology", "https://www.synology.com/en-global/security/advisory"),
    "tenda": Vendor("Tenda", "https://www.tendacn.com/"),
    "tp-link": Vendor("TP-Link", "https://www.tp-link.com/us/press/security-advisory/"),
    "ubnt": Vendor("Ubiquiti", "https://community.ui.com/releases"),
    "ui": Vendor("Ubiquiti", "https://community.ui.com/releases"),
    "vmware": Vendor("VMware by Broadcom", "https://support.broadcom.com/"),
    "watchguard": Vendor("WatchGuard", "https://www.watchguard.com/wgrd-psirt/advisories"),
    "xerox": Vendor("Xerox", "https://security.business.xerox.com/"),
    "yealink": Vendor("Yealink", "https://www.yealink.com/"),
    "zyxel": Vendor("Zyxel", "https://www.zyxel.com/global/en/support/security-advisories"),
}

# Pages of one CVE at those who keep one for each, by OSV's name of the distribution.
TRACKERS: Final = {
    "Debian": "https://security-tracker.debian.org/tracker/{cve}",
    "Ubuntu": "https://ubuntu.com/security/{cve}",
    "Alpine": "https://security.alpinelinux.org/vuln/{cve}",
    "Red Hat": "https://access.redhat.com/security/cve/{cve}",
    "SUSE": "https://www.suse.com/security/cve/{cve}.html",
    "Microsoft": "https://msrc.microsoft.com/update-guide/vulnerability/{cve}",
}


def vendor_of(name: tuple[str, str, str]) -> Vendor | None:
    """The vendor of (part, vendor, product), where the table knows one."""
    return VENDORS.get(unescape(name[1]))


def is_firmware(name: tuple[str, str, str]) -> bool:
    """Whether an update of (part, vendor, product) is a firmware: hardware, or software that says so."""
    part, _, product = name
    return part == "h" or "firmware" in product
