"""Does one product meet one criterion, how surely, and why: the version rules of matching.

NVD compares a bound with the version attribute alone: OpenSSH 7.7 p1 is within "through 7.7" and is not "before 7.7".
So where a bound names no update, a product's update (p1, rc1, sp2) does not move it across the bound; what an
unknown or partial update leaves open lowers the confidence instead.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from netvigil.matching.cpe import ANY, NA, unescape
from netvigil.matching.platforms import excludes, runs_on
from netvigil.matching.products import Confidence
from netvigil.matching.versions import FIRST_YEAR, Kind, Order, Version, compare_parsed, parse_version
from netvigil.matching.wording import QUALIFIERS, describe_qualifier, describe_range, version_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netvigil.matching.cpe import Cpe
    from netvigil.matching.ranges import AffectedRange

_EXACT: Final = Confidence.EXACT
_LIKELY: Final = Confidence.LIKELY
_POSSIBLE: Final = Confidence.POSSIBLE


class Judgement(NamedTuple):
    """A criterion holds, this surely, for these reasons."""

    confidence: Confidence
    reasons: tuple[str, ...]


class _Subject(NamedTuple):
    """A product's version, ready to compare; `update_known` is false where it may have any update."""

    version: Version
    update_known: bool


def judge(affected: AffectedRange, cpe: Cpe, systems: Sequence[Cpe]) -> Judgement | None:
    """Judge a product whose name the criterion already fits; None when it is not meant.

    `systems` are the operating systems that the host is known to run, for criteria with a `target_sw`.
    """
    judgement = _judge_version(affected, cpe)
    if judgement is None:
        return None
    return _judge_qualifiers(affected.criteria, cpe, judgement, systems)


def judge_presence(affected: AffectedRange, cpe: Cpe, systems: Sequence[Cpe]) -> Judgement | None:
    """The same for a "running on" part: where no version is asked for, any will do."""
    if (
        not is_bounded(affected)
        and affected.criteria.version in (ANY, NA)
        and affected.criteria.update in (ANY, NA)
    ):
        return _judge_qualifiers(affected.criteria, cpe, Judgement(_EXACT, ()), systems)
    if cpe.version in (ANY, NA) and affected.criteria.version != cpe.version:
        return Judgement(_POSSIBLE, (f"it must run on {unescape(cpe.product)} {describe_range(affected)}",))
    return judge(affected, cpe, systems)


def is_bounded(affected: AffectedRange) -> bool:
    """Whether the criterion has a version bound at all."""
    return not (
        affected.end_excluding is None
        and affected.end_including is None
        and affected.start_including is None
        and affected.start_excluding is None
    )


def specificity(affected: AffectedRange) -> int:
    """How narrowly a criterion names its versions: exact 4, two bounds 3, an upper 2, a lower 1, none 0."""
    upper = affected.end_including is not None or affected.end_excluding is not None
    lower = affected.start_including is not None or affected.start_excluding is not None
    if upper or lower:
        return 2 * upper + lower
    return 0 if affected.criteria.version in (ANY, NA) else 4


def _judge_version(affected: AffectedRange, cpe: Cpe) -> Judgement | None:
    criteria = affected.criteria
    if is_bounded(affected):
        return _judge_bounds(affected, cpe)
    if criteria.version == ANY:
        return _judge_update_only(criteria, cpe, _LIKELY, "the record names every version")
    if criteria.version == NA:
        return _judge_unversioned(criteria, cpe)
    confidence = None if cpe.version in (ANY, NA) else _named(criteria, cpe)
    return None if confidence is None else Judgement(confidence, (_named_reason(criteria, cpe, confidence),))


def _judge_bounds(affected: AffectedRange, cpe: Cpe) -> Judgement | None:
    if cpe.version == NA:
        return None
    if cpe.version == ANY:
        return Judgement(_POSSIBLE, (f"the version is not known; affected is {describe_range(affected)}",))
    confidence = _within(affected, cpe)
    return None if confidence is None else Judgement(confidence, (_range_reason(affected, cpe, confidence),))


def _judge_unversioned(criteria: Cpe, cpe: Cpe) -> Judgement | None:
    """`-` in a criterion: no version applies (hardware), or none was stated."""
    if cpe.version == NA or (cpe.part == "h" and cpe.version == ANY):
        return _judge_update_only(criteria, cpe, _EXACT, "the record names the product itself")
    confidence = _LIKELY if cpe.part == "h" else _POSSIBLE
    return _judge_update_only(criteria, cpe, confidence, "the record names the product but no version")


def _judge_update_only(criteria: Cpe, cpe: Cpe, confidence: Confidence, reason: str) -> Judgement | None:
    if criteria.update in (ANY, cpe.update):
        return Judgement(confidence, (reason,))
    if cpe.update != ANY:
        return None
    return Judgement(
        _POSSIBLE, (reason, f"it names update {unescape(criteria.update)}, the update here is not known")
    )


@lru_cache(maxsize=1 << 14)
def _subject(version: str, update: str) -> _Subject | None:
    parsed = parse_version(version, update)
    return None if parsed is None else _Subject(parsed, update != ANY or bool(parsed.tags))


def _named(criteria: Cpe, cpe: Cpe) -> Confidence | None:
    """The criterion names one version (and update): is it this one?"""
    if criteria.version == cpe.version and criteria.update in (ANY, cpe.update):
        return _EXACT
    if ANY in criteria.version or "?" in criteria.version:
        return _EXACT if _pattern(criteria.version).fullmatch(cpe.version) else None
    mine, named = _subject(cpe.version, cpe.update), parse_version(criteria.version, criteria.update)
    if mine is None or named is None:
        return _POSSIBLE if criteria.version == cpe.version and cpe.update == ANY else None
    if mine.version.release != named.release:
        return None  # by far the most; nothing below makes such two the same
    return _named_parsed(criteria, mine, named)


def _named_parsed(criteria: Cpe, mine: _Subject, named: Version) -> Confidence | None:
    if compare_parsed(mine.version, named) is Order.EQUAL:
        return _POSSIBLE if criteria.update == NA and not mine.update_known else _EXACT
    if criteria.update == ANY and not named.tags:
        return _EXACT if compare_parsed(mine.version.base, named) is Order.EQUAL else None
    # A version is shown with its rc or beta, but often without its patch: only the latter can be hidden.
    hidden = bool(named.tags) and named.tags[0].kind is not Kind.PRE and not mine.update_known
    return _POSSIBLE if hidden and compare_parsed(mine.version, named.base) is Order.EQUAL else None


def _within(affected: AffectedRange, cpe: Cpe) -> Confidence | None:
    """The criterion names bounds: is this version between them?"""
    mine = _subject(cpe.version, cpe.update)
    if mine is None:
        return _POSSIBLE
    confidence = _EXACT
    update = affected.criteria.update
    if update != ANY:
        narrowed = _with_update(affected, cpe, mine)
        if narrowed is None:
            return None
        mine, confidence = narrowed
    sides = (
        (affected.end_excluding, False, False),
        (affected.end_including, False, True),
        (affected.start_including, True, True),
        (affected.start_excluding, True, False),
    )
    for bound, is_start, including in sides:
        if bound is not None:
            side = _side(mine, parse_version(bound), is_start=is_start, including=including)
            if side is None:
                return None
            confidence = confidence.weaker(side)
    return confidence


def _with_update(affected: AffectedRange, cpe: Cpe, mine: _Subject) -> tuple[_Subject, Confidence] | None:
    """A range that names an update, `*:p2` through 1.9.17: surely p2 itself, perhaps all before 1.9.17p2."""
    update = affected.criteria.update
    bare = _Subject(mine.version.base, update_known=True)
    if update == cpe.update:
        return bare, _EXACT
    if update == NA:
        return None if mine.update_known else (bare, _POSSIBLE)
    end = affected.end_including or affected.end_excluding
    last = parse_version(end, update) if end else None
    if last is not None and mine.version.tags and mine.version.tags == last.tags:
        return bare, _EXACT
    if last is not None and compare_parsed(mine.version, last) is Order.NEWER:
        return None
    return bare, _POSSIBLE


def _side(mine: _Subject, bound: Version | None, *, is_start: bool, including: bool) -> Confidence | None:
    """One bound: inside (and how surely) or None for outside."""
    if bound is None:
        return _POSSIBLE
    version = mine.version
    if version.tags and not bound.tags and compare_parsed(version.base, bound) is Order.EQUAL:
        return _AT_THE_BOUND[is_start, including, version.tags[0].kind is Kind.PRE]
    if (
        bound.tags
        and not mine.update_known
        and bound.tags[0].kind is not Kind.PRE
        and compare_parsed(version, bound.base) is Order.EQUAL
    ):
        return _POSSIBLE
    order = compare_parsed(version, bound)
    if order is Order.UNKNOWN or (version.is_date is not bound.is_date and _far_apart(version, bound)):
        return _POSSIBLE
    if order is Order.EQUAL:
        return _EXACT if including else None
    return _EXACT if (order is Order.NEWER) is is_start else None


def _far_apart(version: Version, bound: Version) -> bool:
    """One is a date and the other counts from one: neither is older, whatever the numbers say."""
    return min(version.release[0], bound.release[0]) < FIRST_YEAR


# The product is the bound's version plus an update that the bound does not name. Key: start?, including?, pre?
_AT_THE_BOUND: Final[dict[tuple[bool, bool, bool], Confidence | None]] = {
    (False, True, True): _EXACT,  # 7.5rc1, through 7.5
    (False, True, False): _LIKELY,  # 7.7p1, through 7.7: the patch may carry the fix
    (False, False, True): _POSSIBLE,  # 7.5rc1, before 7.5: the candidate may have the fix already
    (False, False, False): None,  # 8.3p1, before 8.3
    (True, True, True): _LIKELY,  # 7.0rc1, from 7.0: what came with 7.0 was in its candidates
    (True, True, False): _EXACT,  # 7.0p1, from 7.0
    (True, False, True): None,  # 7.0rc1, after 7.0
    (True, False, False): _POSSIBLE,  # 7.0p1, after 7.0
}


def _judge_qualifiers(
    criteria: Cpe, cpe: Cpe, judgement: Judgement, systems: Sequence[Cpe]
) -> Judgement | None:
    """Editions, languages and targets: a criterion's own value must not contradict the product's."""
    confidence, reasons = judgement
    for name in QUALIFIERS:
        wanted: str = getattr(criteria, name)
        if wanted == ANY:
            continue
        seen: str = getattr(cpe, name)
        if seen == wanted:
            continue
        if seen != ANY or (name == "target_sw" and excludes(wanted, systems)):
            return None
        if name == "target_sw" and runs_on(wanted, systems):
            confidence = confidence.weaker(_LIKELY)
            continue
        if judgement.confidence is _POSSIBLE and cpe.version not in (ANY, NA):
            return None  # neither the version nor the edition is known to fit: no ground for a finding
        confidence = _POSSIBLE
        reasons = (
            *reasons,
            f"the record asks for {describe_qualifier(criteria, name)}, which is not known here",
        )
    return Judgement(confidence, reasons)


def _range_reason(affected: AffectedRange, cpe: Cpe, confidence: Confidence) -> str:
    words = describe_range(affected)
    version = version_text(cpe)
    if confidence is _EXACT:
        single = words.startswith(("before", "after")) and "(" not in words
        return f"{version} is {words}" if single else f"{version} is in the affected range: {words}"
    if confidence is _LIKELY:
        return f"{version} is at the edge of the affected range: {words}"
    return f"{version} cannot be placed for sure; affected is {words}"


def _named_reason(criteria: Cpe, cpe: Cpe, confidence: Confidence) -> str:
    if confidence is _EXACT:
        return f"{version_text(cpe)} is named as affected"
    return f"the record names {version_text(criteria)}; which update {version_text(cpe)} has is not known"


@lru_cache(maxsize=1024)
def _pattern(value: str) -> re.Pattern[str]:
    """A version with CPE wildcards (`*` any run, `?` one character) as a regular expression."""
    pieces = re.findall(r"\\.|.", value)
    return re.compile("".join({"*": ".*", "?": "."}.get(piece) or re.escape(piece) for piece in pieces))
