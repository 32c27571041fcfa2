"""DNS over UDP: the question for the server's own version (`version.bind`, class CHAOS; RFC 4892 on such names)."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Final, NamedTuple

from netvigil.probing.speak import dns_message
from netvigil.probing.speak.answer import Answer
from netvigil.probing.speak.keyed import KeyedProtocol

if TYPE_CHECKING:
    from ipaddress import IPv4Address

_QUESTION: Final = "version.bind"
_ID_SIZE: Final = 2
_PACKAGER: Final = re.compile(r"-(Debian|Ubuntu|Raspbian|RedHat)\b", re.IGNORECASE)


class _Program(NamedTuple):
    product: str
    says: re.Pattern[str]
    cpe: str | None = None
    system: str | None = None


def _says(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


# Each pattern's group is the version. A bare number is BIND's custom, and its only numbers are 4, 8 and 9.
_PROGRAMS: Final = (
    _Program("ISC BIND", _says(r"(?:BIND )?([489]\.\d{1,2}(?:\.\d{1,3})?[\w.+~-]{0,80})"), "cpe:/a:isc:bind"),
    _Program("dnsmasq", _says(r"dnsmasq-(?:pi-hole-)?v?(\d[\w.+~-]{0,60})"), "cpe:/a:thekelleys:dnsmasq"),
    _Program("Unbound", _says(r"unbound (\d[\w.+~-]{0,60})"), "cpe:/a:nlnetlabs:unbound"),
    _Program("NLnet Labs NSD", _says(r"NSD (\d[\w.+~-]{0,60})"), "cpe:/a:nlnetlabs:nsd"),
    _Program(
        "PowerDNS Recursor", _says(r"PowerDNS Recursor v?(\d[\w.+~-]{0,60})"), "cpe:/a:powerdns:recursor"
    ),
    _Program(
        "PowerDNS Authoritative Server",
        _says(r"(?:PowerDNS Authoritative Server|Served by PowerDNS) v?(\d[\w.+~-]{0,60})"),
        "cpe:/a:powerdns:authoritative_server",
    ),
    _Program("Microsoft DNS", _says(r"Microsoft DNS (\d[\d.]{0,30})"), "cpe:/o:microsoft:windows", "Windows"),
    _Program("Knot DNS", _says(r"Knot DNS (\d[\w.+~-]{0,60})")),
    _Program("Knot Resolver", _says(r"Knot Resolver (\d[\w.+~-]{0,60})")),
    _Program("CoreDNS", _says(r"CoreDNS-(\d[\w.+~-]{0,60})"), "cpe:/a:coredns.io:coredns"),
)


def request(_: IPv4Address) -> bytes:
    """A question for the version."""
    return dns_message.encode_query(secrets.randbelow(0x10000), _QUESTION, dns_message.TXT, dns_message.CH)


def key(data: bytes) -> bytes | None:
    """The message's id."""
    return data[:_ID_SIZE] if len(data) >= _ID_SIZE else None


def parse(data: bytes) -> Answer | None:
    """What the server calls itself; one that refuses, or knows no such name, is only known to speak DNS."""
    message = dns_message.parse_message(data)
    if message is None or not message.response:
        return None
    if message.questions and message.questions[0].name.lower() != _QUESTION:
        return None
    texts = (
        record.text
        for record in message.answers
        if record.type == dns_message.TXT and record.class_ == dns_message.CH and record.text
    )
    said = next(texts, None)
    return Answer("domain", facts={"rcode": str(message.rcode)}) if said is None else name_program(said)


def name_program(said: str) -> Answer:
    """The answer for the text of a `version.bind` record; an operator may have written anything there."""
    banner, facts = said.encode(), {"version_bind": said}
    for program in _PROGRAMS:
        if found := program.says.match(said):
            # nmap's form, which users know: the packager's name goes into the parentheses.
            packager = _PACKAGER.search(found[1])
            return Answer(
                "domain",
                banner,
                program.product,
                found[1][: packager.start()] if packager else found[1],
                f"{packager[1]} Linux" if packager else None,
                os_name="Linux" if packager else program.system,
                cpes=(program.cpe,) if program.cpe else (),
                facts=facts,
                complete=True,
            )
    return Answer("domain", banner, facts=facts)


PROTOCOL = KeyedProtocol("domain", 53, request, parse, key=key)
