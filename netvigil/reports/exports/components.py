"""PURE: the inventory of a report as CycloneDX sees it: devices made of firmware and programs, and their services."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from netvigil.matching.cpe import ANY, NA, Cpe, CpeError, parse_cpe, unescape
from netvigil.matching.identify import identify
from netvigil.matching.packages import package_of
from netvigil.matching.platforms import FIRMWARE, family_of
from netvigil.probing.observations import HostObservation, Method, Protocol, ServiceObservation
from netvigil.reports.exports.texts import one_line, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from netvigil.matching.products import Product

NAME_LIMIT: Final = 300
# OSV's name of a distribution → type and namespace of a package URL (purl specification, "Known types")
_PURL_TYPES: Final = {
    "Debian": ("deb", "debian"),
    "Ubuntu": ("deb", "ubuntu"),
    "Red Hat": ("rpm", "redhat"),
    "AlmaLinux": ("rpm", "almalinux"),
    "Rocky Linux": ("rpm", "rocky"),
    "SUSE": ("rpm", "suse"),
    "openSUSE": ("rpm", "opensuse"),
    "Alpine": ("apk", "alpine"),
}


@dataclass(slots=True)
class HostComponents:
    """One host of the report: the reference of its device, and those of its products by their CPE."""

    host: Mapping[str, Any]
    ref: str
    products: dict[str, dict[str, Any]] = field(default_factory=dict)
    by_port: dict[tuple[str | None, int | None], list[str]] = field(default_factory=dict)

    def product_ref(self, cpe: str) -> str:
        """The reference of the product of that name, which is added when the words of its services did not tell it."""
        if cpe not in self.products:
            self.products[cpe] = _component(self.ref, cpe, None)
        return str(self.products[cpe]["bom-ref"])

    def device(self, site: str) -> dict[str, Any]:
        """The device as a component that holds its products."""
        host = self.host
        name = one_line(host["hostname"], NAME_LIMIT) or host["ip_address"]
        said = {
            "site": site,
            "site_id": host["site_id"],
            "ip_address": host["ip_address"],
            "mac_address": host["mac_address"],
            "os": host["os"],
            "model": host["model"],
            "observed_at": host["observed_at"],
        }
        component: dict[str, Any] = {
            "type": "device",
            "bom-ref": self.ref,
            "name": name,
            "properties": properties(said),
        }
        if host["manufacturer"]:
            component["manufacturer"] = {"name": one_line(host["manufacturer"], NAME_LIMIT)}
        if self.products:
            component["components"] = list(self.products.values())
        return component

    def services(self) -> Iterator[dict[str, Any]]:
        """Its open ports; what answered there is text of the device."""
        for service in self.host["services"]:
            place = f"{service['protocol']}/{service['port']}"
            said = {name: service[name] for name in ("product", "extra_info", "tunnel", "banner")}
            one: dict[str, Any] = {
                "bom-ref": f"{self.ref}/{place}",
                "name": one_line(service["name"], NAME_LIMIT) or place,
                "endpoints": [f"{service['protocol']}://{self.host['ip_address']}:{service['port']}"],
                "properties": properties({"port": service["port"], "protocol": service["protocol"], **said}),
            }
            if service["version"]:
                one["version"] = one_line(service["version"], NAME_LIMIT)
            yield one

    def dependencies(self) -> Iterator[dict[str, Any]]:
        """Which service is which product's, as far as the device said."""
        for service in self.host["services"]:
            refs = self.by_port.get((service["protocol"], service["port"]))
            if refs:
                ref = f"{self.ref}/{service['protocol']}/{service['port']}"
                yield {"ref": ref, "dependsOn": list(dict.fromkeys(refs))}


def list_components(hosts: Iterable[Mapping[str, Any]]) -> dict[str, HostComponents]:
    """The report's hosts by their id, each with the products that its words name.

    Words are read once: a fleet says the same on many hosts, and identifying is by far the dearest part.
    """
    known: dict[str, tuple[Product, ...]] = {}
    found = {}
    for host in hosts:
        words = repr((host["os"], host["services"]))
        if words not in known:
            known[words] = identify(_observation(host))
        found[host["id"]] = _components(host, known[words])
    return found


def _components(host: Mapping[str, Any], products: Iterable[Product]) -> HostComponents:
    found = HostComponents(host, f"host:{host['id']}")
    for product in products:
        cpe = str(product.cpe)
        if cpe not in found.products:
            found.products[cpe] = _component(found.ref, cpe, product)
        if product.port is not None:
            found.by_port.setdefault((product.protocol, product.port), []).append(
                found.products[cpe]["bom-ref"]
            )
    return found


def properties(said: Mapping[str, object]) -> list[dict[str, str]]:
    """Name and value pairs under our own prefix, without those that say nothing."""
    return [
        {
            "name": f"netvigil:{name}",
            "value": str(value).lower() if isinstance(value, bool) else visible(value),
        }
        for name, value in said.items()
        if value not in (None, "")
    ]


def _component(owner: str, cpe: str, product: Product | None) -> dict[str, Any]:
    component: dict[str, Any] = {"bom-ref": f"{owner}/{one_line(cpe, 1_000)}"}
    try:
        name = parse_cpe(cpe)
    except CpeError:  # an old report's, or a device's own word
        return {"type": "application", **component, "name": one_line(cpe, NAME_LIMIT) or "unknown"}
    shown = _shown(name)
    component |= {"type": _type(name), "name": one_line(unescape(name.product), NAME_LIMIT)}
    if name.vendor not in (ANY, NA):
        component["publisher"] = one_line(unescape(name.vendor), NAME_LIMIT)
    if shown is not None:
        component["version"] = one_line(shown, NAME_LIMIT)
    component["cpe"] = visible(str(name))
    if name.part == "a":
        component["purl"] = _purl(name, shown, product)
    if product is not None:
        component["properties"] = properties(
            {"confidence": product.confidence.value, "evidence": product.evidence}
        )
    return component


def _type(name: Cpe) -> str:
    if name.part == "h":
        return "device"
    if name.part == "o":
        return "firmware" if family_of(name) == FIRMWARE else "operating-system"
    return "application"


def _shown(name: Cpe) -> str | None:
    if name.version in (ANY, NA):
        return None
    update = "" if name.update in (ANY, NA) else f" {unescape(name.update)}"
    return f"{unescape(name.version)}{update}"


def _purl(name: Cpe, shown: str | None, product: Product | None) -> str:
    """A distribution's package where the device told its revision, else `pkg:generic` (purl specification)."""
    package = package_of(product) if product is not None else None
    if package is not None and package.revision is not None and package.ecosystem in _PURL_TYPES:
        kind, space = _PURL_TYPES[package.ecosystem]
        distro = f"?distro={_part(f'{space}-{package.release}')}" if package.release else ""
        revised = f"{package.upstream}-{package.revision}"
        return f"pkg:{kind}/{space}/{_part(package.names[0])}@{_part(revised)}{distro}"
    versioned = f"@{_part(shown)}" if shown else ""
    vendor = f"{_part(unescape(name.vendor))}/" if name.vendor not in (ANY, NA) else ""
    return f"pkg:generic/{vendor}{_part(unescape(name.product))}{versioned}"


def _part(text: str) -> str:
    return quote(one_line(text, NAME_LIMIT), safe="")


def _observation(host: Mapping[str, Any]) -> HostObservation:
    return HostObservation(
        address=IPv4Address(host["ip_address"]),
        observed_at=datetime.fromisoformat(host["observed_at"]),
        reason=host["alive_because"],
        mac=host["mac_address"],
        manufacturer=host["manufacturer"],
        hostname=host["hostname"],
        os_name=host["os"],
        model=host["model"],
        services=tuple(
            ServiceObservation(
                port=service["port"],
                protocol=Protocol(service["protocol"]),
                method=Method(service["seen_by"]),
                name=service["name"],
                product=service["product"],
                version=service["version"],
                extra_info=service["extra_info"],
                tunnel=service["tunnel"],
                cpes=tuple(service["cpes"]),
                banner=service["banner"],
                spared=service["spared"],
                facts=service["facts"],
            )
            for service in host["services"]
        ),
    )
