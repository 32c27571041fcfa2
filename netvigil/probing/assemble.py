"""From what was heard on each port to observations of services and of the host that they share: decisions only."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from netvigil.probing.observations import Method, Protocol, ServiceObservation
from netvigil.probing.ports import FRAGILE_PORTS
from netvigil.probing.routeros import reconcile
from netvigil.probing.speak.certificate import product_of
from netvigil.probing.speak.talk import Ended
from netvigil.probing.text import clean_banner, clean_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from netvigil.probing.observations import HostObservation
    from netvigil.probing.speak.answer import Answer
    from netvigil.probing.speak.talk import Talk

_FACTS_KEPT: Final = 48
_FACT_LENGTH: Final = 500
_CPES_KEPT: Final = 16
# Who is believed first on what names the host: those that ask the device itself before those that repeat a setting.
_NAMERS: Final = ("mndp", "netbios-ns", "microsoft-ds", "netbios-ssn", "snmp", "ubiquiti-discovery", "mdns")
_MAC_TELLERS: Final = ("mndp", "ubiquiti-discovery", "netbios-ns", "snmp", "mdns")


@dataclass(frozen=True, slots=True)
class Learnt:
    """One service and, where a protocol's module understood it, the answer that tells of the whole host too."""

    service: ServiceObservation
    answer: Answer | None = None


def build_service(
    swept: ServiceObservation,
    talk: Talk | None,
    named: ServiceObservation | None,
    tls_facts: Mapping[str, str],
) -> Learnt:
    """What is known of a TCP port after it was spoken to (`talk`) and nmap was asked (`named`)."""
    if talk is None:
        return Learnt(replace(swept, spared=swept.port in FRAGILE_PORTS))
    tunnel = "ssl" if talk.tls else None
    if talk.answer is not None:
        service = service_of(talk.answer, swept.port, Protocol.TCP)
        service = replace(service, tunnel=tunnel, facts={**_clean_facts(tls_facts), **service.facts})
        return Learnt(_certified(_completed(service, named)), talk.answer)
    banner = clean_banner(talk.greeting or talk.web or b"".join(talk.heard[:1]))
    facts = _clean_facts(tls_facts)
    if named is not None and named.method is Method.NMAP and not (named.name == "tcpwrapped" and banner):
        service = replace(
            named, port=swept.port, banner=banner, tunnel=named.tunnel or tunnel, facts=facts, hostname=None
        )
        return Learnt(_certified(service))
    name = _name_unknown(swept.name, talk)
    return Learnt(_certified(replace(swept, name=name, banner=banner, tunnel=tunnel, facts=facts)))


def service_of(answer: Answer, port: int, protocol: Protocol) -> ServiceObservation:
    """An answer as an observation, its words cleaned and cut."""
    return ServiceObservation(
        port,
        protocol,
        Method.SPOKEN,
        name=clean_text(answer.name, 64),
        product=clean_text(answer.product),
        version=clean_text(answer.version),
        extra_info=clean_text(answer.extra_info),
        os_type=clean_text(answer.os_name, 128),
        device_type=clean_text(answer.device_type, 128),
        hostname=clean_text(answer.hostname, 255),
        cpes=tuple(filter(None, (clean_text(cpe, 300) for cpe in answer.cpes[:_CPES_KEPT]))),
        banner=clean_banner(answer.banner),
        facts=_clean_facts(answer.facts),
    )


def build_host(host: HostObservation, learnt: Sequence[Learnt], notes: Iterable[str]) -> HostObservation:
    """The host with its services, and what they say together: MAC, names, system, model, and where they contradict."""
    services = tuple(
        sorted((one.service for one in learnt), key=lambda service: (service.protocol, service.port))
    )
    answers = [one.answer for one in learnt if one.answer is not None]
    router = reconcile(services)
    mac, source = host.mac, host.mac_source or ("arp" if host.mac else None)
    if mac is None:
        teller = next((answer for answer in _ranked(answers, _MAC_TELLERS) if answer.mac), None)
        mac, source = (teller.mac, teller.name) if teller is not None else (None, None)
    said = [answer.hostname for answer in _ranked(answers, _NAMERS) if answer.hostname]
    said += [service.hostname for service in services if service.hostname]
    said += [
        service.facts["certificate_hostname"]
        for service in services
        if "certificate_hostname" in service.facts
    ]
    os_name = router.os_name if router is not None else _system(answers, services)
    model = (router.board if router is not None else None) or next(
        (answer.model for answer in answers if answer.model), None
    )
    told = [*host.notes, *(router.disagreements if router is not None else ()), *notes]
    return replace(
        host,
        mac=mac,
        mac_source=source,
        hostname=clean_text((router.identity if router is not None else None) or host.hostname, 255)
        or next((clean_text(name, 255) for name in said), None),
        os_name=clean_text(host.os_name or os_name, 128),
        model=clean_text(model, 128),
        notes=tuple(filter(None, (clean_text(note, 500) for note in told)))[:20],
        services=services,
    )


def _certified(service: ServiceObservation) -> ServiceObservation:
    """The service with the product that its certificate names, where nothing else does."""
    certified = product_of(service.facts) if service.product is None else None
    if certified is None:
        return service
    return replace(
        service,
        product=certified.product,
        device_type=service.device_type or certified.device_type,
        cpes=service.cpes or ((certified.cpe,) if certified.cpe else ()),
    )


def _completed(service: ServiceObservation, named: ServiceObservation | None) -> ServiceObservation:
    """Our reading, with nmap's where ours has a gap; what it calls otherwise is left out rather than mixed."""
    if named is None or named.method is not Method.NMAP:
        return service
    if service.product is None:
        return replace(
            service,
            product=named.product,
            version=service.version or named.version,
            extra_info=service.extra_info or named.extra_info,
            os_type=service.os_type or named.os_type,
            device_type=service.device_type or named.device_type,
            cpes=service.cpes or named.cpes,
        )
    same = (named.product or "").casefold() == service.product.casefold()
    if not same or (service.version and named.version and service.version != named.version):
        return replace(service, device_type=service.device_type or named.device_type)
    return replace(
        service,
        version=service.version or named.version,
        extra_info=service.extra_info or named.extra_info,
        os_type=service.os_type or named.os_type,
        device_type=service.device_type or named.device_type,
        cpes=service.cpes or named.cpes,
    )


def _name_unknown(name: str | None, talk: Talk) -> str | None:
    """The name that a port's number suggests, unless what it said or did not say tells otherwise."""
    if talk.tls:
        return "ssl"
    if talk.web.startswith(b"HTTP/"):
        return "http"
    if talk.ended is Ended.CLOSED:
        return "tcpwrapped"
    wordless = talk.ended is Ended.SILENT and name is not None and name.startswith("http")
    return None if wordless else name


def _system(answers: Sequence[Answer], services: Sequence[ServiceObservation]) -> str | None:
    """The system that most services name; of equally many the longest name, which says most."""
    named = Counter(answer.os_name for answer in answers if answer.os_name)
    named.update(service.os_type for service in services if service.os_type and service.method is Method.NMAP)
    return max(named, key=lambda name: (named[name], len(name)), default=None)


def _ranked(answers: Sequence[Answer], order: Sequence[str]) -> list[Answer]:
    rank = {name: place for place, name in enumerate(order)}
    return sorted(answers, key=lambda answer: rank.get(answer.name, len(order)))


def _clean_facts(facts: Mapping[str, str]) -> dict[str, str]:
    cleaned: dict[str, str] = {}
    for key, value in list(facts.items())[:_FACTS_KEPT]:
        name, text = clean_text(str(key), 64), clean_text(str(value), _FACT_LENGTH)
        if name and text:
            cleaned[name] = text
    return cleaned
