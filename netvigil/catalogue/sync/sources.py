"""The sources that a sync knows: what each is called, where its owner publishes it, how large it may be."""

from __future__ import annotations

import re
from dataclasses import dataclass

MIB = 1 << 20
GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Source:
    """One source; `feed` is its name in the import log.

    `limit` is the most bytes of a download, and of what it holds when it is a ZIP archive; `members` matches
    the names of the archive's files that are wanted.
    """

    name: str
    feed: str
    title: str
    url: str
    limit: int
    members: re.Pattern[str] = re.compile(r".*\.json")

    @property
    def setting(self) -> str:
        """The environment variable that names another URL, or `off`."""
        return f"NETVIGIL_FEED_{self.name.upper().replace('-', '_')}_URL"


NVD = "nvd"
"""The source that is asked page by page."""

CVE_LIST = "cvelist"
"""The source that is fetched whole once, and then what changed; all others are single files."""

CVE_LIST_CHANGES = "https://raw.githubusercontent.com/CVEProject/cvelistV5/main/cves"
"""Where the log of changes and the single records lie."""

_CVE = re.compile(r"(?:.*/)?CVE-\d{4}-\d{4,19}\.json")
_CISA = "https://www.cisa.gov/sites/default/files/feeds"
_OSV = "https://osv-vulnerabilities.storage.googleapis.com"
_CVE_ARCHIVE = "https://github.com/CVEProject/cvelistV5/archive/refs/heads/main.zip"
_OVERRIDES = "https://github.com/anchore/nvd-data-overrides/archive/refs/heads/main.zip"

SOURCES: tuple[Source, ...] = (
    # small ones first, so that a slow line to the large ones does not keep them waiting
    Source("kev", "kev", "CISA KEV", f"{_CISA}/known_exploited_vulnerabilities.json", 64 * MIB),
    Source(
        "epss", "epss", "EPSS", "https://epss.empiricalsecurity.com/epss_scores-current.csv.gz", 256 * MIB
    ),
    Source(
        "cwe",
        "cwe",
        "CWE",
        "https://cwe.mitre.org/data/xml/cwec_latest.xml.zip",
        64 * MIB,
        re.compile(r".*\.(xml|csv)"),
    ),
    Source(NVD, "nvd", "NVD", "https://services.nvd.nist.gov/rest/json/cves/2.0", 256 * MIB),
    Source("overrides", "overrides", "NVD data overrides", _OVERRIDES, GIB, _CVE),
    Source("osv-debian", "osv", "OSV, Debian", f"{_OSV}/Debian/all.zip", 2 * GIB),
    Source("osv-ubuntu", "osv", "OSV, Ubuntu", f"{_OSV}/Ubuntu/all.zip", 4 * GIB),
    Source("osv-alpine", "osv", "OSV, Alpine", f"{_OSV}/Alpine/all.zip", 2 * GIB),
    Source(CVE_LIST, "cvelist", "CVE List", _CVE_ARCHIVE, 4 * GIB, _CVE),
)
"""Every source, in the order in which a sync asks them."""


def source_named(name: str) -> Source:
    """The source of that name; KeyError if there is none."""
    return {source.name: source for source in SOURCES}[name]
