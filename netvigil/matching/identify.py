"""From what a scan saw to the products that a host runs, under NVD's names: pure, so it can be repeated at any time.

Each rule reads one service and yields what it finds; a new protocol module or a new kind of evidence is one more rule
in `RULES`. Rules never raise on what a device says: what cannot be read is not a product.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from netvigil.matching.aliases import preferred
from netvigil.matching.cpe import ANY, Cpe, CpeError, escape, parse_cpe, unescape
from netvigil.matching.packages import package_of
from netvigil.matching.platforms import FIRMWARE, family_of
from netvigil.matching.products import Confidence, Product
from netvigil.matching.routeros import find_routeros
from netvigil.matching.software import MAX_TEXT, find_software
from netvigil.matching.version_strings import find_packager, split_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from netvigil.probing.observations import HostObservation, ServiceObservation

MAX_PRODUCTS: Final = 256  # a host that names more is playing with us

# nmap's names that stand for no product of NVD's: Coyote's 1.1 is a protocol version, not Tomcat's; NVD's WinBox is the
# client on a PC, not the router's listener.
_NO_PRODUCTS: Final = frozenset({("apache", "coyote_http_connector"), ("mikrotik", "winbox")})
# Installed by hand on whatever distribution the server is from.
_UNPACKAGED: Final = frozenset({"wordpress", "drupal", r"joomla\!"})
# IPP shows two of CUPS' three numbers.
_PARTIAL_VERSIONS: Final = frozenset({"cups"})
_SYSTEMS: Final = (
    ("windows", "microsoft", "windows"),
    ("linux", "linux", "linux_kernel"),
    ("freebsd", "freebsd", "freebsd"),
    ("openbsd", "openbsd", "openbsd"),
    ("netbsd", "netbsd", "netbsd"),
    ("mac os", "apple", "macos"),
    ("macos", "apple", "macos"),
    ("solaris", "oracle", "solaris"),
    ("android", "google", "android"),
    ("aix", "ibm", "aix"),
)


def identify(host: HostObservation) -> tuple[Product, ...]:
    """The products of a host, one per CPE and port, best evidence first.

    A system or a piece of hardware (part o or h) is there once, whatever ports showed it. A name without a version is
    dropped where the same name has one, and RouterOS without channel where the same version is known with it.
    """
    found: list[Product] = []
    for service in host.services:
        for rule in RULES:
            found += rule(service)
    found += _systems(host.os_name)
    found += [system for product in found if (system := _packagers_system(product)) is not None]
    return _distinct(found)


def _nmap_cpes(service: ServiceObservation) -> Iterator[Product]:
    """The names that nmap derived, with its version field where the first program's name carries none."""
    shown = service.version
    for text in service.cpes[:16]:
        try:
            cpe = parse_cpe(text)
        except CpeError:
            continue
        if (cpe.vendor, cpe.product) in _NO_PRODUCTS or cpe.product in (ANY, "routeros"):
            continue
        if cpe.part == "o" and cpe.version == ANY and family_of(cpe) != FIRMWARE:
            yield _product(service, cpe, Confidence.LIKELY, platform_only=True)
        elif cpe.part == "h":
            yield from _device(service, cpe)
        else:
            raw = unescape(cpe.version) if cpe.version != ANY else shown if cpe.part == "a" else None
            yield _named(service, cpe, raw)
            shown = None


def _words(service: ServiceObservation) -> Iterator[Product]:
    """Programs that the service names itself: greeting, `Server` header, nmap's own words where it had no CPE."""
    texts = [service.banner, service.extra_info, service.name]
    if service.product and service.version:
        texts += [f"{service.product}/{service.version}", f"{service.product} {service.version}"]
    for text in filter(None, texts):
        for mention in find_software(text):
            name = Cpe("a", mention.vendor, mention.product)
            product = _named(service, name, mention.version)
            if product.cpe.version != ANY:
                yield replace(product, evidence=mention.words)


def _routeros(service: ServiceObservation) -> Iterator[Product]:
    found = find_routeros(service)
    if found is not None:
        cpe, confidence, evidence = found
        yield replace(_product(service, cpe, confidence), evidence=evidence)


def _os_type(service: ServiceObservation) -> Iterator[Product]:
    for product in _systems(service.os_type):
        yield replace(product, port=service.port, protocol=service.protocol.value)


_PACKAGERS_SYSTEMS: Final = {
    "Debian": ("debian", "debian_linux"),
    "Raspbian": ("debian", "debian_linux"),
    "Ubuntu": ("canonical", "ubuntu_linux"),
    "Red Hat": ("redhat", "enterprise_linux"),
    "RHEL": ("redhat", "enterprise_linux"),
    "CentOS": ("centos", "centos"),
    "Fedora": ("fedoraproject", "fedora"),
    "AlmaLinux": ("almalinux", "almalinux"),
    "Rocky": ("rocky", "rockylinux"),
    "SUSE": ("suse", "suse_linux"),
    "openSUSE": ("opensuse", "opensuse"),
    "Alpine": ("alpinelinux", "alpine_linux"),
    "FreeBSD": ("freebsd", "freebsd"),
    "NetBSD": ("netbsd", "netbsd"),
}

RULES: Final[tuple[Callable[[ServiceObservation], Iterable[Product]], ...]] = (
    _routeros,
    _nmap_cpes,
    _words,
    _os_type,
)


def _systems(words: str | None) -> list[Product]:
    """An operating system known by its kind alone: ground for other products, never judged itself."""
    text = (words or "")[:MAX_TEXT].lower()
    for start, vendor, product in _SYSTEMS:
        if text.startswith(start):
            return [Product(Cpe("o", vendor, product), Confidence.LIKELY, text[:200], platform_only=True)]
    return []


def _packagers_system(product: Product) -> Product | None:
    """The system that a packager's programs run on, with its release where the package's version tells it."""
    if product.distribution is None:
        return None
    # an early Ubuntu's OpenSSH calls itself Debian
    shown = "Ubuntu" if "ubuntu" in product.distribution else product.distribution
    name = next((names for word, names in _PACKAGERS_SYSTEMS.items() if shown.startswith(word)), None)
    if name is None:
        return None
    package = package_of(product)
    release = package.release if package is not None and package.release is not None else ANY
    return Product(Cpe("o", *name, release), Confidence.LIKELY, product.evidence, platform_only=True)


def _named(service: ServiceObservation, cpe: Cpe, raw: str | None) -> Product:
    """A product under NVD's preferred name with its version taken apart."""
    part, vendor, name = preferred(*cpe.name)
    parts = split_version(raw, name) if raw else None
    around = "\n".join(filter(None, (service.version, service.extra_info, (service.banner or "")[:MAX_TEXT])))
    distribution = (parts.distribution if parts else None) or find_packager(around)
    if name in _UNPACKAGED:
        distribution = None
    if parts is None:
        version, update, confidence = ANY, ANY, Confidence.LIKELY
    else:
        version = escape(parts.version)
        update = parts.update if parts.update in (ANY, "-") else escape(parts.update)
        confidence = Confidence.LIKELY if name in _PARTIAL_VERSIONS else Confidence.EXACT
    # nmap sometimes writes the update into the name itself; its other attributes are empty.
    update = cpe.update if cpe.update != ANY else update
    product = _product(service, Cpe(part, vendor, name, version, update), confidence)
    return replace(product, distribution=distribution)


def _device(service: ServiceObservation, cpe: Cpe) -> Iterator[Product]:
    """A device by its model: its hardware, and NVD's `…_firmware` of it, whose version nobody has seen."""
    part, vendor, name = preferred(*cpe.name)
    yield _product(service, Cpe(part, vendor, name), Confidence.LIKELY)
    if part == "h":
        yield _product(service, Cpe("o", vendor, f"{name}_firmware"), Confidence.LIKELY)


def _product(
    service: ServiceObservation, cpe: Cpe, confidence: Confidence, *, platform_only: bool = False
) -> Product:
    words = " ".join(filter(None, (service.product, service.version, service.extra_info)))
    return Product(
        cpe,
        confidence,
        (words or str(cpe))[:200],
        port=service.port,
        protocol=service.protocol.value,
        platform_only=platform_only,
    )


def _tells_more(product: Product, known: Product) -> bool:
    """Surer, or as sure and with the packager's revision, by which its fix data judge: nmap's CPE has none."""
    if product.confidence is not known.confidence:
        return product.confidence.rank < known.confidence.rank
    return len(product.distribution or "") > len(known.distribution or "")


def _distinct(products: list[Product]) -> tuple[Product, ...]:
    versioned = {p.cpe.name for p in products if p.cpe.version != ANY}
    channelled = {(p.cpe.name, p.cpe.version) for p in products if p.cpe.sw_edition != ANY}
    distinct: dict[tuple[Cpe, int | None, str | None], Product] = {}
    for product in products:
        cpe = product.cpe
        if cpe.version == ANY and cpe.name in versioned:
            continue
        if cpe.sw_edition == ANY and (cpe.name, cpe.version) in channelled:
            continue
        once = cpe.part != "a"
        key = (cpe, None if once else product.port, None if once else product.protocol)
        known = distinct.get(key)
        if known is None or _tells_more(product, known):
            distinct[key] = product
    ranked = sorted(distinct.values(), key=lambda product: (product.platform_only, product.confidence.rank))
    return tuple(ranked[:MAX_PRODUCTS])
