"""Which package of which distribution a product is, where its banner says so, and what that tells of its version.

`data/packages.json` names for each product its packages: `debian` (Debian's and Ubuntu's source packages), `rpm` (both
source and main binary names, since the sources of data differ) and `alpine`; `{major}` and `{minor}` stand for the
version's first numbers. Add a line there; nothing here needs to change.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final, NamedTuple

from netvigil.matching.aliases import preferred
from netvigil.matching.cpe import ANY, NA, unescape
from netvigil.matching.package_versions import Scheme, scheme_of, split_epoch

if TYPE_CHECKING:
    from netvigil.matching.products import Product

_TABLE: Final = "data/packages.json"
_ECOSYSTEMS: Final = {  # the packager's name as `version_strings` gives it → OSV's
    "Debian": "Debian",
    "Raspbian": "Debian",
    "Ubuntu": "Ubuntu",
    "Red Hat": "Red Hat",
    "RHEL": "Red Hat",
    "CentOS": "Red Hat",  # rebuilt from Red Hat's sources under the same versions
    "AlmaLinux": "AlmaLinux",
    "Rocky": "Rocky Linux",
    "SUSE": "SUSE",
    "openSUSE": "openSUSE",
    "Alpine": "Alpine",
}
_CODENAMES: Final = {"etch": "4", "lenny": "5", "squeeze": "6", "wheezy": "7", "jessie": "8", "stretch": "9"}
_DEBIAN_RELEASE: Final = re.compile(r"deb(\d{1,2})u\d|[+~](" + "|".join(_CODENAMES) + ")")
_UBUNTU_RELEASE: Final = re.compile(r"(?:ubuntu\d+\.|ubuntu[\d.]*~|^)(\d\d\.(?:04|10))(?![\d])")
_RPM_RELEASE: Final = re.compile(r"\.el(\d{1,2})|^(\d{1,2})(?:\.\d+)?$")
_REPACKED: Final = re.compile(r"[+~.-](?:dfsg|ds|repack)[\d.]*.*$")
_PRE: Final = re.compile(r"[~._-]?(alpha|beta|pre|rc)(?=\d)")
_PATCH: Final = re.compile(r"[._-]p(?=\d)")
_PARTIAL: Final = 3  # CUPS shows two of its three numbers


class Package(NamedTuple):
    """A product as a distribution packages it.

    `ecosystem` is OSV's name, `release` that of OSV (`12`, `22.04`) or None where the version does not tell it;
    `names` are the packages it may be in. `upstream` is in the form of `normal_upstream`; `revision` is the packager's
    part, None where the banner does not show it. An epoch is never shown: comparisons leave it out.
    """

    ecosystem: str
    release: str | None
    names: tuple[str, ...]
    upstream: str
    revision: str | None

    @property
    def shown(self) -> str:
        """The package's version as far as it is known."""
        return self.upstream if self.revision is None else f"{self.upstream}-{self.revision}"


def package_of(product: Product) -> Package | None:
    """The package that a product's banner speaks of; None without a distribution or for an unknown product."""
    if product.distribution is None:
        return None
    ecosystem, revision = _packager(product.distribution)
    return package_in(product, ecosystem, revision) if ecosystem else None


def package_in(product: Product, ecosystem: str, revision: str | None = None) -> Package | None:
    """The package that a product would be in that ecosystem; None where nobody packages it under a known name."""
    cpe = product.cpe
    scheme = scheme_of(ecosystem)
    if scheme is None or cpe.version in (ANY, NA):
        return None
    version = unescape(cpe.version)
    if cpe.product == "cups" and version.count(".") + 1 < _PARTIAL:
        return None
    names = package_names(preferred(*cpe.name), scheme, version)
    if not names:
        return None
    # Red Hat puts BIND's patch into the release
    update = "" if cpe.update in (ANY, NA) or (scheme is Scheme.RPM and cpe.product == "bind") else cpe.update
    upstream = normal_upstream(version + unescape(update))
    return Package(
        ecosystem, release_of(ecosystem, revision), names, upstream, _true_revision(scheme, revision)
    )


def release_of(ecosystem: str, revision: str | None) -> str | None:
    """The release that a package's revision names; None where it could be of several."""
    if revision is None:
        return None
    pattern = {"Debian": _DEBIAN_RELEASE, "Ubuntu": _UBUNTU_RELEASE}.get(ecosystem, _RPM_RELEASE)
    found = None if "bpo" in revision else pattern.search(revision)
    if found is None:
        return None
    named = next(group for group in found.groups() if group)
    return _CODENAMES.get(named, named)


def split_package(scheme: Scheme, version: str) -> tuple[str, str | None]:
    """A package's version as (upstream in normal form, revision); the epoch is dropped."""
    text = split_epoch(version)[1]
    if scheme is Scheme.ALPINE:
        upstream, dash, revision = text.rpartition("-r")
    else:
        upstream, dash, revision = text.rpartition("-")
    return (normal_upstream(upstream), revision) if dash else (normal_upstream(text), None)


@lru_cache(maxsize=1 << 14)
def normal_upstream(version: str) -> str:
    """An upstream version without a packager's traces, so that a banner's and a package's can be compared.

    `4.13.13+dfsg` is 4.13.13, `9.11.5.P4` is 9.11.5p4, `1.3.5rc3` is 1.3.5~rc3, `4.1+really4.0` is 4.0.
    """
    text = version.lower().rpartition("+really")[2]
    return _PATCH.sub("p", _PRE.sub(r"~\1", _REPACKED.sub("", text)))


@lru_cache(maxsize=1 << 12)
def package_names(name: tuple[str, str, str], scheme: Scheme, version: str) -> tuple[str, ...]:
    """The packages of a product of that version; none where the table does not know it."""
    templates = _table().get(":".join(name), {}).get(scheme.value, ())
    numbers = [*re.findall(r"\d+", version), "0", "0"]
    return tuple(one.replace("{major}", numbers[0]).replace("{minor}", numbers[1]) for one in templates)


def _packager(distribution: str) -> tuple[str | None, str | None]:
    """OSV's ecosystem and the revision, of `Debian 2+deb12u3`; an early Ubuntu's OpenSSH calls itself Debian."""
    for name, ecosystem in _ECOSYSTEMS.items():
        if distribution == name or distribution.startswith(f"{name} "):
            revision = distribution[len(name) + 1 :] or None
            return ("Ubuntu" if revision and "ubuntu" in revision else ecosystem), revision
    return None, None


def _true_revision(scheme: Scheme, revision: str | None) -> str | None:
    """`Ubuntu 22.04` and `CentOS 7` name a release, not a revision."""
    names_release = r"\d{1,2}(?:\.\d+)?" if scheme is Scheme.RPM else r"\d\d\.(?:04|10)"
    return None if revision is None or re.fullmatch(names_release, revision) else revision


@lru_cache(maxsize=1)
def _table() -> dict[str, dict[str, list[str]]]:
    source = files("netvigil.matching").joinpath(_TABLE)
    rows = json.loads(source.read_text(encoding="utf-8"))["packages"]
    return {row["product"]: row for row in rows}
