"""PURE: the report's diagrams as SVG: severities now and before, and the trend; only our own words are in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Lightness falls with severity, so that a grey print keeps the order; each has its letter beside.
COLOURS = {
    "CRITICAL": "#8e1b1b",
    "HIGH": "#d4572a",
    "MEDIUM": "#efab3f",
    "LOW": "#f7e2a0",
    "NONE": "#dfe5ea",
}
INK = "#1c2733"
GREY = "#6b7785"
RULE = "#d5dbe1"
FONT = "IBM Plex Sans"
_WIDTH = 480
_NARROW = 16  # below, a number does not fit into its part of the bar


def svg(width: float, height: float, parts: Sequence[str]) -> str:
    """A drawing of these parts, in points."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}" font-family="{FONT}">{"".join(parts)}</svg>'
    )


def rect(x: float, y: float, width: float, height: float, fill: str, more: str = "") -> str:
    """A filled box."""
    return f'<rect x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}" fill="{fill}" {more}/>'


def label(x: float, y: float, words: str, *, size: float = 8, fill: str = INK, more: str = "") -> str:
    """A word at a baseline; `words` must be ours, never a device's."""
    return f'<text x="{x:.2f}" y="{y:.2f}" font-size="{size:g}" fill="{fill}" {more}>{words}</text>'


def ink_on(severity: str) -> str:
    """The colour that reads on this severity's own."""
    return "#ffffff" if severity in {"CRITICAL", "HIGH"} else INK


def severity_bars(now: Mapping[str, int], before: Mapping[str, int] | None) -> str:
    """The findings of this scan, and of the one before, as one bar each; equal lengths mean equal numbers."""
    rows = [("This scan", now)] + ([("Previous scan", before)] if before is not None else [])
    most = max((sum(counts.values()) for _, counts in rows), default=0) or 1
    left, room = 70.0, _WIDTH - 70.0 - 42.0
    parts = []
    for index, (name, counts) in enumerate(rows):
        y = index * 26.0
        parts.append(label(0, y + 14, name, size=8.5, fill=INK if index == 0 else GREY))
        x = left
        for severity, colour in COLOURS.items():
            count = counts.get(severity, 0)
            if not count:
                continue
            width = max(room * count / most, 1.5)
            parts.append(rect(x, y, width, 19, colour, 'stroke="#ffffff" stroke-width="0.7"'))
            if width >= _NARROW:
                word = f"{severity[0]} {count}" if width >= 2 * _NARROW else str(count)
                parts.append(
                    label(
                        x + width / 2,
                        y + 12.8,
                        word,
                        size=8,
                        fill=ink_on(severity),
                        more='text-anchor="middle" font-weight="600"',
                    )
                )
            x += width
        total = sum(counts.values())
        if not total:
            parts.append(rect(left, y, 1.5, 19, RULE))
        parts.append(label(x + 6, y + 13, f"{total:,}", size=9, more='font-weight="600"'))
    return svg(_WIDTH, len(rows) * 26 - 6, parts)


def trend_columns(runs: Sequence[tuple[str, Mapping[str, int] | None, int, bool]]) -> str:
    """Findings of the last runs, oldest first: (label, severities or None where unknown, number, is it this one)."""
    height, bottom, top = 118.0, 96.0, 14.0
    most = max((number for _, _, number, _ in runs), default=0) or 1
    slot = min(_WIDTH / max(len(runs), 1), 56.0)
    width = min(slot * 0.62, 30.0)
    parts = [rect(0, bottom, slot * len(runs), 0.6, GREY)]
    for index, (name, severities, number, current) in enumerate(runs):
        x = index * slot + (slot - width) / 2
        y = bottom
        for severity, count in _stacked(severities) if severities is not None else [("", number)]:
            tall = (bottom - top) * count / most
            y -= tall
            parts.append(
                rect(x, y, width, tall, COLOURS.get(severity, GREY), 'stroke="#ffffff" stroke-width="0.4"')
            )
        middle = 'text-anchor="middle"' + (' font-weight="700"' if current else "")
        parts.append(label(x + width / 2, y - 3.5, f"{number:,}", size=7.5, more=middle))
        parts.append(
            label(x + width / 2, bottom + 11, name, size=6.5, fill=INK if current else GREY, more=middle)
        )
    return svg(max(slot * len(runs), 60.0), height - 6, parts)


def describe_bars(now: Mapping[str, int], before: Mapping[str, int] | None) -> str:
    """The same in words, for readers who hear the page."""
    said = f"Findings of this scan: {_words(now)}."
    return f"{said} Previous scan: {_words(before)}." if before is not None else said


def describe_trend(runs: Sequence[tuple[str, Mapping[str, int] | None, int, bool]]) -> str:
    """The trend in words."""
    return "Findings of the last scans: " + ", ".join(f"{name} {number}" for name, _, number, _ in runs) + "."


def _stacked(severities: Mapping[str, int]) -> list[tuple[str, int]]:
    return [
        (severity, severities.get(severity, 0))
        for severity in reversed(COLOURS)
        if severities.get(severity, 0)
    ]


def _words(counts: Mapping[str, int]) -> str:
    named = [f"{count} {severity.lower()}" for severity in COLOURS if (count := counts.get(severity, 0))]
    return ", ".join(named) if named else "none"
