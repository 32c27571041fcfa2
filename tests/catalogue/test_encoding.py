"""The stored form: what goes in comes out, and pruning never changes what an inventory can tell."""

from __future__ import annotations

import json

import pytest

from netvigil.catalogue.encoding import decode_configurations, pack, product_key, unpack
from netvigil.catalogue.feeds.nvd import read_cve

WEB = "cpe:2.3:a:acme:web:1.0:*:*:*:*:*:*:*"
SHOP = "cpe:2.3:a:acme:shop:2.0:*:*:*:*:*:*:*"
LINUX = "cpe:2.3:o:linux:linux_kernel:-:*:*:*:*:*:*:*"


def stored(make_cve, *configurations):
    return read_cve(json.dumps(make_cve(configurations=list(configurations))).encode())


def node(*criteria, vulnerable=True, operator="OR"):
    matches = [{"vulnerable": vulnerable, "criteria": one} for one in criteria]
    return {"operator": operator, "negate": False, "cpeMatch": matches}


def decoded(cve, *names):
    configurations = decode_configurations(cve.configurations, set(names) or None)
    return [[[str(one.criteria) for one in part.ranges] for part in whole.nodes] for whole in configurations]


def test_only_vulnerable_products_are_indexed(make_cve):
    cve = stored(make_cve, {"operator": "AND", "nodes": [node(WEB), node(LINUX, vulnerable=False)]})
    assert cve.product_keys == (product_key("a", "acme", "web"),)


def test_products_are_indexed_in_lower_case_and_once(make_cve):
    cve = stored(make_cve, {"nodes": [node(WEB.replace("acme", "ACME"), WEB.replace("1.0", "1.1"))]})
    assert cve.product_keys == (product_key("a", "acme", "web"),)


def test_a_key_is_a_signed_integer_of_32_bits():
    keys = {product_key("a", "v", str(number)) for number in range(1000)}
    assert len(keys) == 1000
    assert min(keys) < 0 < max(keys)
    assert all(-(2**31) <= key < 2**31 for key in keys)


def test_without_a_wish_everything_is_decoded(make_cve):
    cve = stored(make_cve, {"nodes": [node(WEB, SHOP)]}, {"nodes": [node(LINUX, vulnerable=False)]})
    assert decoded(cve) == [[[WEB, SHOP]], [[LINUX]]]


def test_a_plain_list_is_cut_to_the_wanted_products(make_cve):
    cve = stored(make_cve, {"nodes": [node(WEB, SHOP)]}, {"nodes": [node(SHOP)]})
    assert decoded(cve, ("a", "acme", "web")) == [[[WEB]]]


def test_parts_that_must_hold_together_stay_whole(make_cve):
    cve = stored(make_cve, {"operator": "AND", "nodes": [node(WEB, SHOP), node(LINUX, vulnerable=False)]})
    assert decoded(cve, ("a", "acme", "web")) == [[[WEB, SHOP], [LINUX]]]
    both = stored(make_cve, {"nodes": [node(WEB, SHOP, operator="AND")]})
    assert decoded(both, ("a", "acme", "web")) == [[[WEB, SHOP]]]


def test_a_wanted_product_that_is_only_surroundings_gives_nothing(make_cve):
    cve = stored(make_cve, {"operator": "AND", "nodes": [node(WEB), node(LINUX, vulnerable=False)]})
    assert decoded(cve, ("o", "linux", "linux_kernel")) == []


def test_another_product_with_the_same_key_gives_nothing(make_cve):
    # two words of one length with one CRC keep it one behind any common beginning
    one, other = ("a", "acme", "plumless"), ("a", "acme", "buckeroo")
    assert product_key(*one) == product_key(*other)
    cve = stored(make_cve, {"nodes": [node("cpe:2.3:a:acme:plumless:1:*:*:*:*:*:*:*")]})
    assert decoded(cve, other) == []
    assert decoded(cve, one) != []


@pytest.mark.parametrize("value", [[], ["a" * 10_000, None, 1.5], {"k": ["ü", True]}])
def test_packing_keeps_values_and_saves_space(value):
    assert unpack(pack(value)) == value
    assert len(pack(value)) < 100
