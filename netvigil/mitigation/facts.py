"""PURE: all that a mitigation is made of, as frozen values: the CVE's public facts, and where this organisation has it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netvigil.catalogue.records import REJECTED
from netvigil.matching.cpe import CpeError, parse_cpe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, datetime

    from netvigil.catalogue.records import CveRecord
    from netvigil.matching.backports import Fix
    from netvigil.matching.cpe import Cpe
    from netvigil.matching.ranges import AffectedRange

_DISTRIBUTION: Final = re.compile(
    r"\b(Debian|Ubuntu|Alpine|Red Hat|CentOS|AlmaLinux|Rocky|openSUSE|SUSE)\b", re.IGNORECASE
)
_DISTRIBUTIONS: Final = {
    word.lower(): word for word in ("Debian", "Ubuntu", "Alpine", "Red Hat", "AlmaLinux", "SUSE")
} | {"centos": "Red Hat", "rocky": "Rocky Linux", "opensuse": "SUSE"}
_FEED_WORDS: Final = {
    "nvd": "NVD",
    "cvelist": "CVE List",
    "overrides": "NVD overrides",
    "starter": "starter catalogue",
}


@dataclass(frozen=True, slots=True)
class Port:
    """A service that touched devices offer: its name as the scan gave it, where, and on how many of them."""

    name: str | None
    port: int
    protocol: str
    devices: int


@dataclass(frozen=True, slots=True)
class TouchedDevice:
    """A device of the organisation that has the CVE; every text is what a device or a person said.

    `cpe` is the product in it that has the CVE, `seen` the words by which that was known, `fixed_in` the version that
    fixes it there, `regressed` that it was thought to be done, `decision` a person's word that is in force.
    """

    address: str
    site: str
    hostname: str | None
    mac: str | None
    manufacturer: str | None
    service: str | None
    port: int | None
    protocol: str | None
    cpe: str
    seen: str | None
    fixed_in: str | None
    confidence: str
    observed_at: datetime
    regressed: bool = False
    decision: str | None = None

    @property
    def product(self) -> Cpe | None:
        """The product as a CPE; None where the row holds no such name."""
        try:
            return parse_cpe(self.cpe)
        except CpeError:
            return None

    @property
    def distribution(self) -> str | None:
        """The distribution that packaged the program (OSV's name), where its own words tell."""
        found = _DISTRIBUTION.search(self.seen or "")
        return _DISTRIBUTIONS[found[1].lower()] if found else None


@dataclass(frozen=True, slots=True)
class Touched:
    """Where the organisation has the CVE: how many devices at how many sites, the first of them, and their ports."""

    total: int = 0
    sites: int = 0
    devices: tuple[TouchedDevice, ...] = ()
    ports: tuple[Port, ...] = ()

    @property
    def products(self) -> tuple[Cpe, ...]:
        """The products in the devices shown that have the CVE, each once."""
        found = (device.product for device in self.devices)
        return tuple(dict.fromkeys(one for one in found if one is not None))

    @property
    def distributions(self) -> frozenset[str]:
        """The distributions whose packages were seen."""
        return frozenset(one for device in self.devices if (one := device.distribution) is not None)


@dataclass(frozen=True, slots=True)
class Exploitation:
    """CISA knows that it is exploited; `ransomware` is None where only NVD's copy of the list is there, which lacks it."""

    date_added: date
    due_date: date | None
    name: str | None
    required_action: str | None
    ransomware: bool | None


@dataclass(frozen=True, slots=True)
class Likelihood:
    """EPSS: the probability of exploitation within 30 days and the rank among all CVEs, both 0 to 1, and of when."""

    score: float
    percentile: float
    date: date


@dataclass(frozen=True, slots=True)
class CveFacts:
    """What is publicly known about a CVE.

    `record` is None where no source of CVE records has it, but the list of exploited ones or a distribution names it.
    `cwe_names` are pairs of identifier and name; `data_date` is how new the catalogue is, None for an empty one.
    """

    cve_id: str
    record: CveRecord | None
    exploited: Exploitation | None = None
    likelihood: Likelihood | None = None
    fixes: tuple[Fix, ...] = ()
    cwe_names: tuple[tuple[str, str], ...] = ()
    data_date: datetime | None = None

    @property
    def rejected(self) -> bool:
        """Whether its owner withdrew the CVE."""
        return self.record is not None and self.record.status == REJECTED

    @property
    def description(self) -> str:
        """The catalogue's words, empty where it has none."""
        return self.record.description if self.record else ""

    def ranges(self) -> Iterator[AffectedRange]:
        """Every criterion that names something vulnerable, in the order of the record."""
        for configuration in self.record.configurations if self.record else ():
            for node in configuration.nodes:
                if not (node.negate or configuration.negate):
                    yield from (one for one in node.ranges if one.vulnerable)

    @property
    def products(self) -> tuple[tuple[str, str, str], ...]:
        """(part, vendor, product) of everything vulnerable, each once."""
        return tuple(dict.fromkeys(one.criteria.name for one in self.ranges()))

    @property
    def sources(self) -> tuple[str, ...]:
        """Whose data this is, in words."""
        origins = dict(self.record.origins) if self.record else {}
        feeds = [feed for names in origins.values() for feed in names.split(", ")]
        words = list(dict.fromkeys(_FEED_WORDS.get(feed, feed) for feed in feeds))
        words += ["KEV"] if self.exploited and self.exploited.ransomware is not None else []
        words += ["EPSS"] if self.likelihood else []
        words += ["OSV"] if self.fixes else []
        return tuple(words)
