"""PURE: maps of the scanned networks, one cell an address, in rows of sixteen and blocks of 256."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any

from netvigil.reports.pdf.pictures import COLOURS, GREY, INK, RULE, ink_on, label, rect, svg

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CELL = 12.2
_LEFT = 24.0
_TOP = 10.0
_ROW = 16
_BLOCK = 256
FREE, LIVE, MISSING, EXCLUDED, UNKNOWN = "free", "live", "missing", "excluded", "unknown"
LIVE_COLOUR = "#cfe3d4"
FREE_COLOUR = "#f5f7f9"


@dataclass(slots=True)
class Block:
    """256 addresses of a network; `cells` holds those that were asked for by their last octet.

    A cell is a severity, or what else is known of the address; `new` are those that the previous scan had not.
    """

    base: IPv4Address
    cells: dict[int, str] = field(default_factory=dict)
    new: set[int] = field(default_factory=set)

    def count(self, *states: str) -> int:
        """How many cells are in one of the states."""
        return sum(state in states for state in self.cells.values())

    @property
    def quiet(self) -> bool:
        """Whether nothing lives here and nothing is to be told of it."""
        return not self.count(*COLOURS, LIVE, MISSING)

    @property
    def name(self) -> str:
        """The addresses that were asked for, in short."""
        first, last = min(self.cells), max(self.cells)
        if first == last:
            return str(self.base + first)
        return f"{self.base + first} to {self.base + last}"


def blocks_of(
    subnets: Iterable[str],
    hosts: Mapping[str, tuple[str | None, bool]],
    *,
    missing: Iterable[str] = (),
    excluded: Iterable[IPv4Network] = (),
    scanned: bool = True,
) -> list[Block]:
    """The blocks of a site's networks, ascending.

    `hosts`: live addresses, each with its worst open severity or None, and whether it is new. `scanned` is false for
    a site whose probe did not come to its end: its silent addresses are unknown, not free.
    """
    blocks = _silent_blocks(map(IPv4Network, subnets), FREE if scanned else UNKNOWN)
    for network in excluded:
        first, last = int(network.network_address), int(network.broadcast_address)
        for base, block in blocks.items():
            for octet in range(max(first - base, 0), min(last - base, _BLOCK - 1) + 1):
                if octet in block.cells:
                    block.cells[octet] = EXCLUDED
    for address in missing:
        number = int(IPv4Address(address))
        _block(blocks, number).cells[number % _BLOCK] = MISSING
    for address, (severity, is_new) in hosts.items():
        number = int(IPv4Address(address))
        block = _block(blocks, number)
        block.cells[number % _BLOCK] = severity or LIVE
        if is_new:
            block.new.add(number % _BLOCK)
    return [blocks[base] for base in sorted(blocks)]


def draw(block: Block) -> str:
    """The block's rows that hold an address that was asked for; the column's number is added to the row's."""
    rows = sorted({octet // _ROW for octet in block.cells})
    parts = [
        label(_LEFT + (n + 0.5) * CELL, 7.5, f"+{n}", size=5.2, fill=GREY, more='text-anchor="middle"')
        for n in range(_ROW)
    ]
    for line, row in enumerate(rows):
        y = _TOP + line * CELL
        parts.append(label(_LEFT - 4, y + 8.4, f".{row * _ROW}", size=6, fill=GREY, more='text-anchor="end"'))
        for column in range(_ROW):
            octet = row * _ROW + column
            if octet in block.cells:
                parts += cell(_LEFT + column * CELL, y, block.cells[octet], new=octet in block.new)
    return svg(_LEFT + _ROW * CELL + 1, _TOP + len(rows) * CELL + 1, parts)


def cell(x: float, y: float, state: str, *, new: bool = False) -> list[str]:
    """One address: a colour, and a letter or shape that says the same without it."""
    size = CELL - 1.2
    middle = (x + size / 2, y + 8.1)
    centred = 'text-anchor="middle" font-weight="700"'
    if state in COLOURS:
        parts = [rect(x, y, size, size, COLOURS[state], f'stroke="{INK}" stroke-width="0.35"')]
        letter = "0" if state == "NONE" else state[0]
        parts.append(label(*middle, letter, size=7, fill=ink_on(state), more=centred))
    elif state == LIVE:
        parts = [rect(x, y, size, size, LIVE_COLOUR, f'stroke="{INK}" stroke-width="0.35"')]
        parts.append(f'<circle cx="{x + size / 2:.2f}" cy="{y + size / 2:.2f}" r="1.5" fill="{INK}"/>')
    elif state == MISSING:
        parts = [
            rect(x, y, size, size, "#ffffff", f'stroke="{INK}" stroke-width="0.7" stroke-dasharray="1.6 1.2"')
        ]
        parts.append(label(*middle, "?", size=7, more=centred))
    elif state == EXCLUDED:
        parts = [rect(x, y, size, size, "#e3e6ea")]
        parts.append(
            f'<path d="M{x + 2:.2f} {y + 2:.2f}L{x + size - 2:.2f} {y + size - 2:.2f}M{x + size - 2:.2f} {y + 2:.2f}'
            f'L{x + 2:.2f} {y + size - 2:.2f}" stroke="{GREY}" stroke-width="0.8"/>'
        )
    elif state == UNKNOWN:
        parts = [rect(x, y, size, size, "#ffffff", f'stroke="{RULE}" stroke-width="0.6"')]
        parts.append(
            f'<path d="M{x + 1:.2f} {y + size - 1:.2f}L{x + size - 1:.2f} {y + 1:.2f}" stroke="{RULE}" stroke-width="0.8"/>'
        )
    else:
        parts = [rect(x, y, size, size, FREE_COLOUR, f'stroke="{RULE}" stroke-width="0.35"')]
    if new:
        corner = 4.4
        parts.append(
            f'<path d="M{x + size - corner:.2f} {y:.2f}h{corner}v{corner}z" fill="{INK}" stroke="#ffffff" stroke-width="0.5"/>'
        )
    return parts


def describe(block: Block) -> str:
    """The block in words, for readers who hear the page: counts, and each address with an open finding."""
    said = [
        f"{number} {name}"
        for name, number in (
            *((severity.lower(), block.count(severity)) for severity in COLOURS),
            ("without findings", block.count(LIVE)),
            ("silent since the previous scan", block.count(MISSING)),
            ("excluded", block.count(EXCLUDED)),
            ("unknown", block.count(UNKNOWN)),
            ("free", block.count(FREE)),
        )
        if number
    ]
    worst = [f".{octet} {state.lower()}" for octet, state in sorted(block.cells.items()) if state in COLOURS]
    listed = f" Addresses with findings: {', '.join(worst)}." if worst else ""
    return f"Map of {block.name}: {', '.join(said)}.{listed}"


def legend() -> list[dict[str, Any]]:
    """What the cells mean: a drawing and a word each."""
    words = [
        ("CRITICAL", "critical", False),
        ("HIGH", "high", False),
        ("MEDIUM", "medium", False),
        ("LOW", "low", False),
        (LIVE, "live, no open finding", False),
        (LIVE, "new since the previous scan", True),
        (MISSING, "answered last time, silent now", False),
        (EXCLUDED, "excluded from scanning", False),
        (UNKNOWN, "not looked at", False),
        (FREE, "free: nothing answered", False),
    ]
    return [
        {"svg": svg(CELL, CELL, cell(0.5, 0.5, state, new=new)), "word": word} for state, word, new in words
    ]


def _silent_blocks(networks: Iterable[IPv4Network], state: str) -> dict[int, Block]:
    blocks: dict[int, Block] = {}
    for network in networks:
        first, last = int(network.network_address), int(network.broadcast_address)
        if network.prefixlen < 31:  # noqa: PLR2004 - RFC 3021: a /31 has no network and broadcast address
            first, last = first + 1, last - 1
        for number in range(first, last + 1):
            _block(blocks, number).cells[number % _BLOCK] = state
    return blocks


def _block(blocks: dict[int, Block], number: int) -> Block:
    base = number - number % _BLOCK
    return blocks.setdefault(base, Block(IPv4Address(base)))
