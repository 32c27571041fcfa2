"""PURE: which rules of known standards a finding touches; `docs/compliance-tags.md` is this table for readers.

A tag says that the rule speaks of such a finding, not that a product or an organisation is or is not compliant.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from netvigil.probing.ports import FRAGILE_PORTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date
    from ipaddress import IPv4Address

CRITICAL: Final = 9.0
HIGH: Final = 7.0
ASV_FAILS: Final = 4.0
EPSS_LIKELY: Final = 0.1

_CLEAR_PORTS: Final = {
    "tcp": frozenset({21, 23, 80, 2323, 5900, 8080, 8728}),
    "udp": frozenset({161}),
}
_CLEAR_NAMES: Final = frozenset({"telnet", "ftp", "http", "http-proxy", "snmp", "vnc", "routeros-api"})


@dataclass(frozen=True, slots=True)
class Place:
    """The service that shows a finding; `tunnel` is `ssl` where TLS is spoken."""

    port: int
    protocol: str
    name: str | None = None
    tunnel: str | None = None

    @property
    def is_clear(self) -> bool:
        """Whether logins and data pass unencrypted: telnet, FTP, HTTP, VNC, SNMP, RouterOS API without TLS."""
        if self.tunnel:
            return False
        return self.name in _CLEAR_NAMES or self.port in _CLEAR_PORTS.get(self.protocol, ())


@dataclass(frozen=True, slots=True)
class Subject:
    """What the rules look at; `due` is KEV's date, `today` the day of the judgement."""

    score: float
    address: IPv4Address
    today: date
    exploited: bool = False
    due: date | None = None
    epss: float | None = None
    fixed_in: str | None = None
    places: Sequence[Place] = ()


@lru_cache(maxsize=4096)
def _is_public(address: IPv4Address) -> bool:
    return address.is_global


class Rule(NamedTuple):
    """One tag: its condition in words and as a function, and the text that it is from."""

    tag: str
    condition: str
    source: str
    holds: Callable[[Subject], bool]


RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "CISA-BOD-22-01",
        "the CVE is in CISA's list of known exploited vulnerabilities",
        "CISA Binding Operational Directive 22-01: remediate listed vulnerabilities by their due date",
        lambda s: s.exploited,
    ),
    Rule(
        "CISA-BOD-22-01-OVERDUE",
        "… and its due date has passed",
        "CISA Binding Operational Directive 22-01",
        lambda s: s.exploited and s.due is not None and s.due < s.today,
    ),
    Rule(
        "PCI-DSS-6.3.3",
        "CVSS 9.0 or more, and a fixed version is known",
        "PCI DSS 4.0.1, 6.3.3: patches for critical vulnerabilities within one month of release",
        lambda s: s.score >= CRITICAL and s.fixed_in is not None,
    ),
    Rule(
        "PCI-DSS-11.3.1",
        "CVSS 7.0 or more, at an address that is not public",
        "PCI DSS 4.0.1, 11.3.1: internal scans, high-risk and critical vulnerabilities are resolved",
        lambda s: s.score >= HIGH and not _is_public(s.address),
    ),
    Rule(
        "PCI-DSS-11.3.1.1",
        "CVSS under 7.0, at an address that is not public",
        "PCI DSS 4.0.1, 11.3.1.1: internal scans, all other vulnerabilities are addressed by their risk",
        lambda s: s.score < HIGH and not _is_public(s.address),
    ),
    Rule(
        "PCI-DSS-11.3.2",
        "CVSS 4.0 or more, at a public address",
        "PCI DSS 4.0.1, 11.3.2, with the ASV Program Guide: external scans fail from CVSS 4.0 on",
        lambda s: s.score >= ASV_FAILS and _is_public(s.address),
    ),
    Rule(
        "PCI-DSS-2.2.7",
        "a service that shows it is used or administered without encryption",
        "PCI DSS 4.0.1, 2.2.7: non-console administrative access is encrypted",
        lambda s: any(place.is_clear for place in s.places),
    ),
    Rule(
        "CIS-4.6",
        "a service that shows it is used or administered without encryption",
        "CIS Controls 8.1, 4.6: manage assets over secure protocols such as SSH and HTTPS",
        lambda s: any(place.is_clear for place in s.places),
    ),
    Rule(
        "CIS-7.7",
        "CVSS 7.0 or more",
        "CIS Controls 8.1, 7.7: remediate detected vulnerabilities monthly or more often",
        lambda s: s.score >= HIGH,
    ),
    Rule(
        "NIS2-21.2.e",
        "known to be exploited, or EPSS 10 % or more, or CVSS 9.0 or more",
        "Directive (EU) 2022/2555, Article 21(2)(e): vulnerability handling; what must not wait is our reading",
        lambda s: s.exploited or (s.epss or 0.0) >= EPSS_LIKELY or s.score >= CRITICAL,
    ),
    Rule(
        "ISO-27001-A.8.8",
        "always",
        "ISO/IEC 27001:2022, Annex A 8.8: management of technical vulnerabilities",
        lambda _: True,
    ),
    Rule(
        "NIST-800-53-SI-2",
        "a fixed version is known",
        "NIST SP 800-53 Rev. 5, SI-2: flaw remediation",
        lambda s: s.fixed_in is not None,
    ),
    Rule(
        "IEC-62443-2-3",
        "a service that shows it is a machine's control or an industrial protocol",
        "IEC TR 62443-2-3: patch management in industrial automation and control systems",
        lambda s: any(place.port in FRAGILE_PORTS for place in s.places),
    ),
)


def tags_of(subject: Subject) -> list[str]:
    """The tags of the rules that hold, in the table's order."""
    return [rule.tag for rule in RULES if rule.holds(subject)]


def table() -> str:
    """The rules as a Markdown table."""
    lines = ["| tag | when | source |", "|---|---|---|"]
    lines += [f"| `{rule.tag}` | {rule.condition} | {rule.source} |" for rule in RULES]
    return "\n".join(lines) + "\n"
