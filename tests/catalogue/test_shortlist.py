"""The shortlist never leaves out a criterion that the full judgement would meet."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from netvigil.catalogue.encoding import ConfigurationEncoder, PackedConfigurations
from netvigil.catalogue.shortlist import Entry, Shortlist
from netvigil.matching.cpe import parse_cpe
from netvigil.matching.match import match
from netvigil.matching.products import Confidence, Product

VERSIONS = st.sampled_from(
    ["1.0", "1.0.0", "1.2", "1.2.3", "1.2.x", "1.10", "2", "7.7p1", "7.7", "1.0.1g", "7.5rc1", "7.4beta4", "2018-04-02",
     "20180402", "r5", "1.2-5", "8.x", "0", "2.6.32", "4.15.0-20", "*", "-", "1.*", "xyz"]
)  # fmt: skip
UPDATES = st.sampled_from(["*", "-", "p1", "rc1"])
BOUNDS = st.none() | VERSIONS.filter(lambda one: "*" not in one)


def cpe(version, update):
    return f"cpe:2.3:a:acme:web:{version}:{update}:*:*:*:*:*:*"


@given(
    criteria=st.lists(
        st.tuples(VERSIONS, UPDATES, st.tuples(BOUNDS, BOUNDS, BOUNDS, BOUNDS)), min_size=1, max_size=6
    ),
    seen=st.tuples(VERSIONS.filter(lambda one: one != "1.*"), UPDATES),
)
def test_nothing_that_matches_is_left_out(criteria, seen):
    encoder = ConfigurationEncoder()
    stored = [
        encoder.criterion(cpe("*" if any(bounds) else version, update), *bounds, vulnerable=True)
        for version, update, bounds in criteria
    ]
    data, _ = encoder.finish([("OR", False, [("OR", False, stored)])])
    packed = PackedConfigurations(data)
    product = Product(parse_cpe(cpe(*seen)), Confidence.EXACT, "", 80)
    every = [Entry(place, 0, criterion) for place, (_, criterion) in enumerate(packed.vulnerable())]
    chosen = {entry.number for entry in Shortlist(every).find(product.cpe.version, product.cpe.update)}
    for entry in every:
        if match([product], (packed.choose([entry.criterion]),)) is not None:
            assert entry.number in chosen
