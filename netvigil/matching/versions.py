"""Version order: older, equal, newer, or honestly unknown, for the version strings that vendors and NVD really write.

A version is read as: an optional leading word, a dotted release number, then items. An item is a build (`-15284`,
`(55)`), a letter (`1.0.1g`), or a word with numbers (`rc1`, `p2`, `sp3`, `se3`). The rules:

- `1.2` equals `1.2.0`: trailing zeros say nothing.
- Pre-release words (dev, alpha, beta, milestone, pre, rc) are older than the bare version, in that order.
- Patches, service packs, updates, builds and letters are newer than the bare version (OpenSSH 9.2 < 9.2p1).
- `a1` and `b1` are alpha and beta; `a` and `b` without a number are letters; `b` with three digits is a build.
- A dash opens a new level: `6.2-23739` < `6.2.1-23824`, as Synology counts.
- `4.7.x` may be any of its series: UNKNOWN to 4.7.2, older than 4.8.
- Different words that have no common order (`12.2(50)se` and `12.2(50)sy`, `p1` and `sp1`) are UNKNOWN to each other,
  as is anything under different leading words (`r27` and `x5`); a leading `v` is dropped.

Where it is defined the order is antisymmetric and transitive, so UNKNOWN is the only way out.
"""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from itertools import zip_longest
from typing import Final, NamedTuple

MAX_LENGTH: Final = 200  # longer strings are no versions
_LONG_BUILD: Final = 100
FIRST_YEAR: Final = 1990
_LAST_YEAR: Final = 2099
_MONTHS: Final = 12

_SEPARATORS: Final = frozenset('.-_+()~:^/, "\\')
_DIGITS: Final = frozenset("0123456789")
_LETTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyz")
_OMITTED_PREFIX: Final = frozenset({"v", "ver", "version", "release", "rel", "firmware"})
_NEUTRAL: Final = frozenset({"ga", "final", "release", "gold", "stable", "lts", "prod", "rtm"})
_PRE: Final = {
    **dict.fromkeys(("dev", "snapshot", "nightly", "canary", "experimental"), 0),
    **dict.fromkeys(("test", "preview", "ea", "eap"), 1),
    "alpha": 2,
    "beta": 3,
    "gamma": 4,
    "milestone": 5,
    "pre": 6,
    **dict.fromkeys(("rc", "cr"), 7),
}
_PRE_SHORT: Final = {"a": "alpha", "b": "beta", "m": "milestone"}
_POST: Final = {
    **dict.fromkeys(("p", "pl", "patch", "patchlevel"), "patch"),
    **dict.fromkeys(("sp", "servicepack"), "sp"),
    **dict.fromkeys(("u", "upd", "update"), "update"),
    **dict.fromkeys(("hf", "hotfix"), "hotfix"),
    **dict.fromkeys(("fp", "fixpack"), "fixpack"),
    **dict.fromkeys(("r", "rev", "revision"), "revision"),
    **{word: word for word in ("maintenance", "mr", "mp", "ru", "su", "cu", "cp", "spc", "ep", "ifix")},
}


class Order(Enum):
    """How one version stands to another."""

    OLDER = -1
    EQUAL = 0
    NEWER = 1
    UNKNOWN = None


class Kind(Enum):
    """What an item says about the version before it."""

    PRE = -1  # not yet that version
    BUILD = 1  # a number after a dash or in parentheses
    LETTER = 2
    POST = 3  # a patch, service pack or update
    WORD = 4  # anything else: comparable with the same word only


class Item(NamedTuple):
    """One item after the release number; `rank` orders pre-release words, `word` names the rest."""

    kind: Kind
    rank: int
    word: str
    numbers: tuple[int, ...]

    @property
    def is_tag(self) -> bool:
        """Whether NVD puts this into the update attribute (rc1, p1, sp2) rather than the version."""
        return self.kind is Kind.PRE or self.kind is Kind.POST


_ANY_NUMBER: Final = Item(Kind.WORD, 0, "x", (0,))  # the x of 4.7.x


class Version(NamedTuple):
    """A parsed version: `items[:tag_at]` belong to the version proper, the rest to the update."""

    prefix: str
    release: tuple[int, ...]
    items: tuple[Item, ...]
    tag_at: int

    @property
    def is_date(self) -> bool:
        """Whether it is written as a day or month, `2018-04-02`, `2019-12`, `20180402`: no number to compare with 2.6."""
        first = self.release[0]
        if len(self.release) > 1 or first < FIRST_YEAR:
            return False
        if first > _LAST_YEAR:
            return FIRST_YEAR <= first // 10_000 <= _LAST_YEAR and 1 <= first // 100 % 100 <= _MONTHS
        return (
            bool(self.items) and self.items[0].kind is Kind.BUILD and 1 <= self.items[0].numbers[0] <= _MONTHS
        )

    @property
    def tags(self) -> tuple[Item, ...]:
        """The items that NVD calls the update."""
        return self.items[self.tag_at :]

    @property
    def base(self) -> Version:
        """The version without its update."""
        return self if self.tag_at == len(self.items) else self._replace(items=self.items[: self.tag_at])


def compare(a: str, b: str) -> Order:
    """Order of `a` to `b` (OLDER: a is older). Values may be escaped as CPE attributes are."""
    left, right = parse_version(a), parse_version(b)
    if left is None or right is None:
        return Order.UNKNOWN
    return compare_parsed(left, right)


def compare_parsed(left: Version, right: Version) -> Order:
    """The same for versions that are parsed already."""
    if left is right:
        return Order.EQUAL
    if left.prefix != right.prefix:
        return Order.UNKNOWN
    if left.release != right.release:
        if _leaves_open(left, right) or _leaves_open(right, left):
            return Order.UNKNOWN
        return Order.OLDER if left.release < right.release else Order.NEWER
    for mine, other in zip_longest(left.items, right.items):
        order = _compare_items(mine, other)
        if order is not Order.EQUAL:
            return order
    return Order.EQUAL


@lru_cache(maxsize=1 << 16)
def parse_version(version: str, update: str = "*") -> Version | None:
    """Parse a version and, when it names one, CPE's update attribute (`9.2`, `p1` → 9.2p1).

    None for what is no version: `*`, `-`, nothing, no digit at all, strange characters, overlong text.
    """
    text = version.lower().strip()
    extra = update.lower() if update not in ("*", "-") else ""
    if len(text) + len(extra) > MAX_LENGTH:
        return None
    tokens = _tokens(text)
    if not tokens or not any(isinstance(token, int) for token, _ in tokens):
        return None
    prefix = ""
    if isinstance(tokens[0][0], str):
        word = tokens.pop(0)[0]
        prefix = "" if word in _OMITTED_PREFIX else str(word)
    release = _take_numbers(tokens)
    items = _items(tokens)
    tag_at = next((at for at, item in enumerate(items) if item.is_tag), len(items))
    if extra:
        more = _tokens(extra)
        if more is None:
            return None
        items += _items(more)
    return Version(prefix, release, tuple(items), tag_at)


def _tokens(text: str) -> list[tuple[int | str, str]] | None:
    """(number or word, separator before it) pairs; None at a character that no version has."""
    tokens: list[tuple[int | str, str]] = []
    separator = ""
    at, end = 0, len(text)
    while at < end:
        char = text[at]
        run = _DIGITS if char in _DIGITS else _LETTERS if char in _LETTERS else None
        if run is None:
            if char not in _SEPARATORS:
                return None
            if char != "\\":
                separator = _stronger(separator, char)
            at += 1
            continue
        start = at
        while at < end and text[at] in run:
            at += 1
        piece = text[start:at]
        tokens.append((int(piece) if run is _DIGITS else piece, separator))
        separator = ""
    return tokens


def _stronger(separator: str, char: str) -> str:
    """Of several separators in a row the one that opens a level counts: `)` before `.`."""
    return char if separator in ("", ".") else separator


def _take_numbers(tokens: list[tuple[int | str, str]]) -> tuple[int, ...]:
    """Take the dotted numbers at the front; without the zeros at the end, which mean nothing."""
    numbers: list[int] = []
    while tokens and isinstance(tokens[0][0], int) and (not numbers or tokens[0][1] in (".", "")):
        numbers.append(int(tokens.pop(0)[0]))
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers) or (0,)


def _items(tokens: list[tuple[int | str, str]]) -> list[Item]:
    items: list[Item] = []
    rest = list(tokens)
    while rest:
        value, separator = rest[0]
        if isinstance(value, int):
            items.append(Item(Kind.BUILD, 0, "", _take_numbers(rest)))
            continue
        rest.pop(0)
        numbered = bool(rest) and isinstance(rest[0][0], int) and rest[0][1] not in ("(", ")")
        item = _word_item(value, separator, _take_numbers(rest) if numbered else ())
        if item is not None:
            items.append(item)
    return items


def _word_item(word: str, separator: str, numbers: tuple[int, ...]) -> Item | None:
    """Classify one word; None for words such as `final` that change nothing."""
    if numbers and word in _PRE_SHORT and not (word == "b" and numbers[0] >= _LONG_BUILD):
        word = _PRE_SHORT[word]
    if word in _PRE:
        return Item(Kind.PRE, _PRE[word], "", numbers or (0,))
    if word == "build" or (word == "b" and numbers):
        return Item(Kind.BUILD, 0, "", numbers or (0,))
    if not numbers and _counts(word, separator):
        return Item(Kind.LETTER, 0, word, ())
    if word in _POST or (word in _NEUTRAL and numbers):
        return Item(Kind.POST, 0, _POST.get(word, word), numbers or (0,))
    return None if word in _NEUTRAL else Item(Kind.WORD, 0, word, numbers or (0,))


def _counts(word: str, separator: str) -> bool:
    """Whether a bare word is a counting letter: OpenSSL goes on from z with za; after `)` it is a train (Cisco)."""
    return (
        (separator, word) != (".", "x")
        and separator != ")"
        and (len(word) == 1 or (word[0] == "z" and len(word) == len("za")))
    )


def _compare_items(mine: Item | None, other: Item | None) -> Order:
    if mine is None or other is None:
        return _against_end(mine, other)
    if mine == other:
        return Order.EQUAL
    if mine.kind is not other.kind:
        return _across_kinds(mine.kind, other.kind)
    if mine.word != other.word and mine.kind is not Kind.LETTER:
        return Order.UNKNOWN
    return Order.OLDER if mine[1:] < other[1:] else Order.NEWER


def _across_kinds(mine: Kind, other: Kind) -> Order:
    """Only a pre-release has a place among other kinds, and none beside a word that we do not know."""
    if Kind.WORD in (mine, other) or Kind.PRE not in (mine, other):
        return Order.UNKNOWN
    return Order.OLDER if mine is Kind.PRE else Order.NEWER


def _leaves_open(series: Version, other: Version) -> bool:
    """Whether `series` is written `4.7.x` and the other may be one of it."""
    return series.items[:1] == (_ANY_NUMBER,) and other.release[: len(series.release)] == series.release


def _against_end(mine: Item | None, other: Item | None) -> Order:
    """One version ends here: what the other still says decides."""
    item = mine or other
    if item is None:
        return Order.EQUAL
    if item.kind is Kind.WORD:
        return Order.UNKNOWN
    newer = (item.kind is Kind.PRE) == (mine is None)
    return Order.NEWER if newer else Order.OLDER
