"""PURE: what a server's certificate says: whose it is, of which names, until when, and at times of which product."""

from __future__ import annotations

import hashlib
import re
import warnings
from typing import TYPE_CHECKING, Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.utils import CryptographyDeprecationWarning

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

_LIMIT: Final = 64 * 1024
_TEXT_LIMIT: Final = 300
_MAX_NAMES: Final = 20
_SHORT: Final = {
    x509.NameOID.COMMON_NAME: "CN",
    x509.NameOID.ORGANIZATION_NAME: "O",
    x509.NameOID.ORGANIZATIONAL_UNIT_NAME: "OU",
    x509.NameOID.COUNTRY_NAME: "C",
    x509.NameOID.STATE_OR_PROVINCE_NAME: "ST",
    x509.NameOID.LOCALITY_NAME: "L",
    x509.NameOID.EMAIL_ADDRESS: "emailAddress",
}
_HOST: Final = re.compile(
    r"(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?){0,8}",
    re.IGNORECASE,
)
# What makers write into certificates that all their devices share, and what stands for nothing.
_NO_HOSTS: Final = frozenset(
    {
        "localhost", "localdomain", "router", "default", "server", "example", "test", "self-signed", "selfsigned", "device", "web",
        "www", "admin", "host", "unknown", "ubnt", "unifi", "synology", "qnap", "fortinet", "fortigate", "idrac", "ilo", "sonicwall",
        "vigor", "webserver", "httpd", "printer", "camera", "ipcamera", "none", "null",
    }
)  # fmt: skip
_NO_DOMAINS: Final = (
    "localhost.localdomain", "example.com", "example.org", "example.net", "plex.direct", "tplinkwifi.net", "routerlogin.net",
    "myfritz.net", "synology.com", "ui.com", "ubnt.com", "mycloud.com", "mikrotik.com", "arpa",
)  # fmt: skip


class CertificateProduct(NamedTuple):
    """A product that a certificate names: nmap's wording as far as it has one, and its CPE 2.2 URI."""

    product: str
    device_type: str | None
    model: str | None
    cpe: str | None


# Subjects that a maker's firmware writes when it makes its own certificate.
_PRODUCTS: Final = (
    (re.compile(r"\bCN=(?P<model>FG[TVR]?\w{2,6})\d{8,12}\b.*\bO=Fortinet|\bO=Fortinet\b.*\bCN=(?P<model2>FG[TVR]?\w{2,6})\d{8,12}\b"), "Fortinet FortiGate firewall", "firewall", "cpe:/o:fortinet:fortios"),
    (re.compile(r"\bO=pfSense (?:webConfigurator|GUI)"), "pfSense", "firewall", "cpe:/a:netgate:pfsense"),
    (re.compile(r"\bO=OPNsense\b"), "OPNsense", "firewall", "cpe:/a:opnsense:opnsense"),
    (re.compile(r"\bOU=VMware ESX Server Default Certificate"), "VMware ESXi", None, "cpe:/o:vmware:esxi"),
    (re.compile(r"\bO=Dell Inc\.?,.*\bOU=(?:Remote Access Group|iDRAC)|\bCN=idrac-\w"), "Dell iDRAC", "remote management", None),
    (re.compile(r"\bOU=PVE Cluster Node\b|\bCN=Proxmox Virtual Environment\b"), "Proxmox Virtual Environment", None, "cpe:/a:proxmox:virtual_environment"),
    (re.compile(r"\bO=Synology Inc\b"), "Synology DiskStation Manager", "storage-misc", "cpe:/o:synology:diskstation_manager"),
    (re.compile(r"\bCN=QNAP NAS\b|\bO=QNAP Systems"), "QNAP NAS", "storage-misc", "cpe:/o:qnap:qts"),
    (re.compile(r"\bCN=IOS-Self-Signed-Certificate-\d"), "Cisco IOS", "router", "cpe:/o:cisco:ios"),
    (re.compile(r"\bO=Axis Communications AB\b.*\bCN=axis-[0-9a-f]{12}\b|\bCN=axis-[0-9a-f]{12}\b"), "AXIS device", None, None),
    (re.compile(r"\bO=Ubiquiti (?:Networks )?Inc\.?.*\bCN=(?:UBNT|UniFi)|\bCN=(?:UBNT-[0-9A-F:]{12,17}|UniFi)\b"), "Ubiquiti device", None, None),
    (re.compile(r"\bO=HP(?:, Inc\.|-IPG)?,.*\bCN=(?:HP|NPI)[0-9A-F]{6}\b|\bCN=NPI[0-9A-F]{6}\b"), "HP printer", "printer", None),
    (re.compile(r"\bO=SonicWALL\b"), "SonicWALL firewall", "firewall", "cpe:/o:sonicwall:sonicos"),
)  # fmt: skip


def describe_certificate(der: bytes) -> dict[str, str]:
    """The facts of a certificate in DER (RFC 5280), each left out where it cannot be read; {} for no certificate.

    `certificate_subject`, `certificate_issuer` (`CN=…, O=…`), `certificate_names` (DNS names and addresses, with commas),
    `certificate_not_before`, `certificate_not_after` (ISO 8601, UTC), `certificate_sha256` (of the DER, hex),
    `certificate_key` (`RSA 2048`), `certificate_hostname` (a name that may be the host's own).
    """
    if not 0 < len(der) <= _LIMIT:
        return {}
    with warnings.catch_warnings():
        # Old devices break rules that the library means to enforce one day; to us that is what they are.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        try:
            certificate = x509.load_der_x509_certificate(der)
        except Exception:  # noqa: BLE001 - the parser raises several kinds, and a device's bytes may be anything
            return {}
        facts = {
            "certificate_subject": _read(lambda: _name(certificate.subject)),
            "certificate_issuer": _read(lambda: _name(certificate.issuer)),
            "certificate_names": _read(lambda: ", ".join(_names(certificate))),
            "certificate_not_before": _read(lambda: _moment(certificate.not_valid_before_utc)),
            "certificate_not_after": _read(lambda: _moment(certificate.not_valid_after_utc)),
            "certificate_key": _read(lambda: _key(certificate)),
            "certificate_hostname": _read(lambda: _hostname(certificate)),
        }
    told = {key: value[: 4 * _TEXT_LIMIT] for key, value in facts.items() if value}
    return told | {"certificate_sha256": hashlib.sha256(der).hexdigest()}


def product_of(facts: Mapping[str, str]) -> CertificateProduct | None:
    """The product that a certificate's subject names surely; None for all others."""
    subject = facts.get("certificate_subject", "")
    for pattern, product, device_type, cpe in _PRODUCTS:
        if found := pattern.search(subject):
            groups = [value for value in found.groupdict().values() if value]
            return CertificateProduct(product, device_type, groups[0] if groups else None, cpe)
    return None


def _read(part: Callable[[], str | None]) -> str | None:
    """One part of a certificate; None where that part is broken."""
    try:
        return part()
    except Exception:  # noqa: BLE001 - extensions and names are parsed late, and raise whatever their parsers raise
        return None


def _moment(when: datetime) -> str:
    return when.isoformat()


def _name(name: x509.Name) -> str:
    """`CN=gw.lan, O=Example`: in the certificate's order, each value on one line and of at most 64 characters."""
    parts = []
    for attribute in name:
        key = _SHORT.get(attribute.oid, attribute.oid.dotted_string)
        value = attribute.value if isinstance(attribute.value, str) else attribute.value.hex()
        parts.append(f"{key}={_one_line(value)[:64]}")
    return ", ".join(parts)[:_TEXT_LIMIT]


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    """The subject's alternative names that are DNS names or addresses."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    shown = [
        _one_line(str(name.value))[:253]
        for name in extension
        if isinstance(name, x509.DNSName | x509.IPAddress)
    ]
    return tuple(filter(None, shown))[:_MAX_NAMES]


def _key(certificate: x509.Certificate) -> str | None:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {key.curve.name}"
    if isinstance(key, dsa.DSAPublicKey):
        return f"DSA {key.key_size}"
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "Ed25519"
    return "Ed448" if isinstance(key, ed448.Ed448PublicKey) else None


def _hostname(certificate: x509.Certificate) -> str | None:
    """The first name of the host itself: no wildcard, no address, no maker's placeholder."""
    common = [
        attribute.value for attribute in certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    ]
    for name in (*_names(certificate), *common):
        if isinstance(name, str) and _is_host(name):
            return name.lower()
    return None


def _is_host(name: str) -> bool:
    low = name.lower().rstrip(".")
    first, _, domain = low.partition(".")
    if not _HOST.fullmatch(low) or not any(char.isalpha() for char in low.rpartition(".")[2]):
        return False
    if first in _NO_HOSTS and domain in {"", "local", "lan", "home", "localdomain"}:
        return False
    return not any(low == end or low.endswith(f".{end}") for end in _NO_DOMAINS)


def _one_line(text: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text[:_TEXT_LIMIT]).split())
