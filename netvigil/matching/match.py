"""Is a CVE present on a host? Its AND/OR tree held against the host's whole inventory; pure and three-valued.

A part of the tree is false (None here) or holds with a confidence; "unknown" is a low confidence. What is unknown:
hardware that no scan can see (LIKELY when the firmware itself matched), an operating system or a companion program
that was not seen (POSSIBLE). A known other operating system is false, and so is a second vulnerable program that was
not seen: a CVE in two programs together is no finding for one of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from netvigil.matching.aliases import equivalents
from netvigil.matching.criteria import Judgement, judge, judge_presence, specificity
from netvigil.matching.platforms import FIRMWARE, Presence, family_of, presence
from netvigil.matching.products import Confidence, Match, Product
from netvigil.matching.ranges import Operator
from netvigil.matching.wording import describe_range, display_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netvigil.matching.aliases import Name
    from netvigil.matching.cpe import Cpe
    from netvigil.matching.ranges import AffectedRange, Configuration, Node


class _Entry(NamedTuple):
    """A product under one of its names; `own` is false for the names that only the alias table gives it."""

    product: Product
    own: bool


class _Verdict(NamedTuple):
    """A part of the tree holds. `hit` is the vulnerable product and criterion behind it, None for mere surroundings."""

    confidence: Confidence
    hit: tuple[Product, AffectedRange] | None
    reasons: tuple[str, ...]
    narrowness: int = 0
    hardware_unseen: bool = False

    @property
    def order(self) -> tuple[bool, int, int]:
        """Sorts the better verdict higher: a product at fault, then surer, then narrower."""
        return (self.hit is not None, -self.confidence.rank, self.narrowness)


_PRESENT: Final = _Verdict(Confidence.EXACT, None, ())


class Inventory:
    """One host's products, indexed by every name they go by; build it once to match many CVEs."""

    __slots__ = ("_by_name", "_products", "hardware", "products", "systems")

    def __init__(self, products: Iterable[Product]) -> None:
        self.products = tuple(products)
        self.systems: tuple[Cpe, ...] = tuple(p.cpe for p in self.products if p.cpe.part == "o")
        self.hardware = any(p.cpe.part == "h" for p in self.products)
        self._by_name: dict[Name, list[_Entry]] = {}
        for product in self.products:
            own = product.cpe.name
            for name in equivalents(*own):
                self._by_name.setdefault(name, []).append(_Entry(product, own=name == own))
        self._products = {name for _, _, name in self._by_name}

    def find(self, criteria: Cpe) -> Sequence[_Entry]:
        """The products that a criterion's part, vendor and product name."""
        return self._by_name.get((criteria.part, criteria.vendor, criteria.product), ())

    def names(self, criteria: Cpe) -> bool:
        """Whether any product may be meant, judged by the product's name alone (cheap)."""
        return criteria.product in self._products


def match(inventory: Sequence[Product] | Inventory, configurations: Sequence[Configuration]) -> Match | None:
    """Hold one CVE's configurations against one host's products; None when the CVE is not there.

    The surest configuration wins, the narrower criterion among equals. A product whose `distribution` is set is at
    most POSSIBLE. A product without a port was named by someone: it meets other vendors' names for the same software
    (see `aliases`) as POSSIBLE only, while for a product seen on the wire all of its names count alike.
    """
    stock = inventory if isinstance(inventory, Inventory) else Inventory(inventory)
    best: _Verdict | None = None
    for configuration in configurations:
        if not any(
            r.vulnerable and stock.names(r.criteria) for node in configuration.nodes for r in node.ranges
        ):
            continue
        verdict = _configuration(stock, configuration)
        if verdict is not None and verdict.hit is not None and (best is None or verdict.order > best.order):
            best = verdict
    if best is None or best.hit is None:
        return None
    product, criterion = best.hit
    seen = (f"seen as {product.evidence}",) if product.evidence else ()
    return Match(product, criterion, best.confidence, (*best.reasons, *seen))


def _configuration(stock: Inventory, configuration: Configuration) -> _Verdict | None:
    together = configuration.operator is Operator.AND and len(configuration.nodes) > 1
    verdicts = (_node(stock, node, together=together) for node in configuration.nodes)
    verdict = _all(verdicts) if configuration.operator is Operator.AND else _best(verdicts)
    return _negated(verdict) if configuration.negate else verdict


def _node(stock: Inventory, node: Node, *, together: bool) -> _Verdict | None:
    if node.operator is Operator.AND:
        together = together or len(node.ranges) > 1
        verdict = _all(_criterion(stock, r, together=together) for r in node.ranges)
    else:
        verdict = _best(_criterion(stock, r, together=together) for r in node.ranges)
        if verdict is not None and verdict.hit is None and verdict.confidence is Confidence.POSSIBLE:
            verdict = _any_system(node, verdict)
    return _negated(verdict) if node.negate else verdict


def _criterion(stock: Inventory, affected: AffectedRange, *, together: bool) -> _Verdict | None:
    """One criterion; `together` says that it is one of several parts that must all hold."""
    if not affected.vulnerable and not together:
        return None  # surroundings named beside the vulnerable product, asked for by nobody
    best: _Verdict | None = None
    entries = stock.find(affected.criteria)
    for entry in entries:
        verdict = _entry(stock, affected, entry)
        if verdict is not None and (best is None or verdict.order > best.order):
            best = verdict
    if best is None and together and not any(entry.own for entry in entries):
        return _unseen(stock, affected)
    return best


def _entry(stock: Inventory, affected: AffectedRange, entry: _Entry) -> _Verdict | None:
    product = entry.product
    if not affected.vulnerable:
        judgement = judge_presence(affected, product.cpe, stock.systems)
        return judgement and _Verdict(judgement.confidence, None, judgement.reasons)
    if product.platform_only:
        return None
    judgement = judge(affected, product.cpe, stock.systems)
    if judgement is None:
        return None
    confidence, reasons = _allowances(judgement, entry, affected)
    return _Verdict(confidence, (product, affected), reasons, specificity(affected))


def _allowances(judgement: Judgement, entry: _Entry, affected: AffectedRange) -> Judgement:
    """Lower the confidence by what is doubtful about the product itself."""
    product = entry.product
    confidence, reasons = judgement.confidence.weaker(product.confidence), judgement.reasons
    if not entry.own:
        reasons = (*reasons, f"the record calls it {display_name(affected.criteria)}")
        if product.port is None:
            confidence = Confidence.POSSIBLE
    if product.distribution is not None:
        confidence = Confidence.POSSIBLE
        reasons = (
            *reasons,
            f"packaged by a distribution ({product.distribution}), which may have fixed it already",
        )
    return Judgement(confidence, reasons)


def _unseen(stock: Inventory, affected: AffectedRange) -> _Verdict | None:
    """What to think of a part that was not seen, where other parts were."""
    criteria = affected.criteria
    if criteria.part == "h":
        return _unseen_hardware(stock, criteria)
    if criteria.part == "o":
        found = presence(criteria, stock.systems)
        if found is Presence.NO:
            return None
        if found is Presence.YES:
            return _PRESENT
    elif affected.vulnerable:
        return None
    wanted = f"{display_name(criteria)} {describe_range(affected)}".removesuffix(" no version named")
    return _Verdict(Confidence.POSSIBLE, None, (f"it needs {wanted}, which was not seen",))


def _unseen_hardware(stock: Inventory, criteria: Cpe) -> _Verdict:
    reason = f"the hardware {display_name(criteria)} cannot be seen from the network"
    confidence = Confidence.POSSIBLE if stock.hardware else Confidence.LIKELY
    return _Verdict(confidence, None, (reason,), hardware_unseen=True)


def _any_system(node: Node, verdict: _Verdict) -> _Verdict:
    """An operating system was not seen, but several kinds would do in any version: then it likely is one of them."""
    families = {family_of(r.criteria) for r in node.ranges if r.criteria.part == "o" and specificity(r) == 0}
    return verdict._replace(confidence=Confidence.LIKELY) if len(families - {FIRMWARE}) > 1 else verdict


def _best(verdicts: Iterable[_Verdict | None]) -> _Verdict | None:
    best: _Verdict | None = None
    for verdict in verdicts:
        if verdict is not None and (best is None or verdict.order > best.order):
            best = verdict
    return best


def _all(verdicts: Iterable[_Verdict | None]) -> _Verdict | None:
    """All parts together: as sure as the least sure; the best vulnerable product speaks for them."""
    parts: list[_Verdict] = []
    for verdict in verdicts:
        if verdict is None:
            return None
        parts.append(verdict)
    if not parts:
        return None
    leader = max(parts, key=lambda part: part.order)
    confidence = leader.confidence
    reasons = list(leader.reasons)
    for part in parts:
        confidence = confidence.weaker(part.confidence)
        if part is not leader:
            reasons += [reason for reason in part.reasons if reason not in reasons]
    unseen = any(part.hardware_unseen for part in parts)
    if unseen and not _is_firmware(leader):
        confidence = Confidence.POSSIBLE
    return _Verdict(confidence, leader.hit, tuple(reasons), leader.narrowness, hardware_unseen=unseen)


def _is_firmware(verdict: _Verdict) -> bool:
    """Whether the product at fault is a device's own firmware: its hardware is then beyond much doubt."""
    if verdict.hit is None:
        return True  # judged again where the vulnerable part joins
    cpe = verdict.hit[1].criteria
    return cpe.part == "o" and family_of(cpe) == FIRMWARE


def _negated(verdict: _Verdict | None) -> _Verdict | None:
    """NVD's `negate`, unused in its data of 2026: what holds for sure is then false, doubt stays doubt."""
    if verdict is None:
        return _PRESENT
    if verdict.confidence is Confidence.EXACT:
        return None
    return _Verdict(Confidence.POSSIBLE, None, verdict.reasons)
