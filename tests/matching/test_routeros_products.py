"""RouterOS's release channel from a service's facts, and neighbours that are none of RouterOS's."""

from __future__ import annotations

import pytest

from netvigil.matching.cpe import ANY
from netvigil.matching.products import Confidence
from netvigil.matching.routeros import find_routeros
from netvigil.probing.observations import Method, Protocol, ServiceObservation


def service(name: str, **fields) -> ServiceObservation:
    return ServiceObservation(5678, Protocol.UDP, Method.SPOKEN, name, **fields)


@pytest.mark.parametrize(
    ("told", "edition"),
    [
        ("long-term", "ltr"),
        ("stable", "-"),
        ("bugfix", "ltr"),
        ("development", "testing"),
        ("nonsense", ANY),
        (None, ANY),
    ],
)
def test_the_channel_of_the_facts(told, edition):
    facts = {"channel": told} if told else {}
    cpe, confidence, _ = find_routeros(
        service("mndp", product="MikroTik RouterOS", version="6.49.10", facts=facts)
    )
    assert (cpe.version, cpe.sw_edition, confidence) == ("6.49.10", edition, Confidence.EXACT)


def test_the_channel_beside_the_version_counts_more():
    cpe, _, _ = find_routeros(service("mndp", version="6.49.10 (long-term)", facts={"channel": "stable"}))
    assert cpe.sw_edition == "ltr"


def test_a_switch_with_another_system_is_no_routeros():
    assert find_routeros(service("mndp", version="2.13", facts={"board": "CSS326-24G-2S+"})) is None
