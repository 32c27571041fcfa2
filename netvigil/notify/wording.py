"""News in plain words: subject, text, HTML, and a text for chats; whatever a device said comes out as text."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from netvigil.findings.states import Change
from netvigil.notify.news import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from netvigil.notify.news import ChangeSeen, News, SitePart

SUBJECT_MOST = 80
_WORSE = (Change.NEW, Change.REGRESSED)
STRING_MOST = 80
SITES_MOST = 10
# What Slack, Discord, Teams and Telegram read as markup, as calls of people or as links, by characters that look alike
_CHAT = str.maketrans({mark: chr(ord(mark) + 0xFEE0) for mark in "<>@[]*_`~|\\#&"})
_HIDDEN_KINDS = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class Detail:
    """What people want to know of a change, as strings from outside: a device's name and site, why it comes first."""

    device: str
    site: str
    reason: str = ""
    address: str | None = None
    mac: str | None = None


@dataclass(frozen=True, slots=True)
class Occasion:
    """What the news are about. `title`: the schedule's description, or None for a data update; `link` opens the report."""

    title: str | None
    link: str | None = None
    state: str = ""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with its lines."""

    heading: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wording:
    """A message before it is text or HTML; all strings are clean already."""

    subject: str
    opening: str
    sections: tuple[Section, ...]
    link: str | None

    def text(self) -> str:
        """The plain text part."""
        blocks = [self.opening]
        blocks += [
            "\n".join([f"{section.heading}:", *(f"  - {line}" for line in section.lines)])
            for section in self.sections
        ]
        if self.link:
            blocks.append(f"The report: {self.link}")
        return "\n\n".join(blocks) + "\n"

    def html(self) -> str:
        """The HTML part: no script, no picture, nothing from elsewhere; every string escaped."""
        parts = [f"<p>{escape(self.opening)}</p>"]
        for section in self.sections:
            lines = "".join(f"<li>{escape(line)}</li>" for line in section.lines)
            parts.append(f"<h3>{escape(section.heading)}</h3><ul>{lines}</ul>")
        if self.link:
            parts.append(f'<p><a href="{escape(self.link)}">Open the report</a></p>')
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            f"<title>{escape(self.subject)}</title></head>"
            f'<body style="font-family:sans-serif">{"".join(parts)}</body></html>'
        )

    def chat(self) -> str:
        """The text for chats, where nothing can become markup, call anybody or be a link but ours."""
        blocks = [_for_chat(self.opening)]
        for section in self.sections:
            lines = [f"• {_for_chat(line)}" for line in section.lines]
            blocks.append("\n".join([f"{_for_chat(section.heading)}:", *lines]))
        if self.link:
            blocks.append(self.link)
        return "\n\n".join(blocks)

    def chat_subject(self) -> str:
        """The subject for chats, under the same rule."""
        return _for_chat(self.subject)


def clean(text: str, most: int = STRING_MOST) -> str:
    """A string from outside on one line: without control characters and those that reorder or hide, at most so long."""
    seen = "".join(" " if unicodedata.category(sign) in _HIDDEN_KINDS else sign for sign in text[: most * 8])
    line = " ".join(seen.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def word(news: News, occasion: Occasion, details: Mapping[UUID, Detail]) -> Wording:
    """The message that tells these news; `details` by vulnerability id, for those that are named."""
    sections = [
        section
        for section in (
            _sites(news.failed_sites),
            _changes("Most urgent", news.top, details, news.worse - len(news.top)),
            _changes("No longer there", news.better, details, news.better_count - len(news.better)),
        )
        if section is not None
    ]
    return Wording(
        subject=_subject(news, occasion),
        opening=_opening(news, occasion),
        sections=tuple(sections),
        link=occasion.link,
    )


def word_test(group_name: str) -> Wording:
    """The test button's message."""
    sentence = f"This is a test. Messages of the notification group {clean(group_name)} arrive here."
    return Wording(subject="Test message from netvigil", opening=sentence, sections=(), link=None)


def _subject(news: News, occasion: Occasion) -> str:
    said = _headline(news, occasion)
    if occasion.title is None:
        return clean(f"{said} after a data update", SUBJECT_MOST)
    return clean(f"{said}: {clean(occasion.title, 255)}", SUBJECT_MOST)


def _headline(news: News, occasion: Occasion) -> str:
    if news.worse:
        more = [
            f"{number} {word}"
            for number, word in ((_severe(news, Severity.CRITICAL), "critical"), (news.kev, "exploited"))
            if number
        ]
        fresh = news.number(Change.NEW)
        kind = "new" if fresh == news.worse else "new or returned" if fresh else "returned"
        return _count(news.worse, f"{kind} vulnerability") + (f" ({', '.join(more)})" if more else "")
    if news.failed or occasion.state == "failed":
        return "Scan failed"
    if news.failed_sites:
        return f"{_count(len(news.failed_sites), 'site')} could not be scanned"
    if news.better_count:
        return _count(news.better_count, "vulnerability") + " resolved"
    return "Scan stopped" if occasion.state == "stopped" else "Scan finished, nothing new"


def _opening(news: News, occasion: Occasion) -> str:
    if occasion.title is None:
        start = "The vulnerability data was updated, and what was seen last was compared with it."
    else:
        ends = {"failed": "failed", "stopped": "was stopped"}
        start = f"The scan {clean(occasion.title, 255)} {ends.get(occasion.state, 'has finished')}."
        if occasion.error:
            start += f" {clean(occasion.error, 500)}"
    said = [
        _severities(news, Change.NEW, "New"),
        _severities(news, Change.REGRESSED, "Back again"),
        _severities(news, Change.RESOLVED, "Resolved"),
        _severities(news, Change.WITHDRAWN, "Withdrawn after a correction of the data"),
    ]
    known = f"{news.kev} known to be exploited." if news.kev else ""
    return " ".join(part for part in (start, *said, known) if part)


def _severities(news: News, change: Change, title: str) -> str:
    counts = news.counts.get(change)
    if not counts:
        return ""
    parts = [f"{counts[one]} {one.lower()}" for one in reversed(Severity) if counts.get(one)]
    return f"{title}: {', '.join(parts)}."


def _severe(news: News, severity: Severity) -> int:
    return sum(news.counts.get(change, {}).get(severity, 0) for change in _WORSE)


def _changes(
    heading: str, changes: Sequence[ChangeSeen], details: Mapping[UUID, Detail], more: int
) -> Section | None:
    if not changes:
        return None
    lines = [_line(one, details.get(one.vulnerability_id)) for one in changes]
    if more > 0:
        lines.append(f"and {more:,} more")
    return Section(heading, tuple(lines))


def _line(one: ChangeSeen, detail: Detail | None) -> str:
    facts = [f"{one.cve_id} ({one.severity.lower()} {one.score:.1f})"]
    if one.change is Change.REGRESSED:
        facts.append("back again")
    if one.kev:
        facts.append("known to be exploited")
    line = ", ".join(facts)
    if detail is None:
        return line
    place = f"{clean(detail.device)} at {clean(detail.site)}"
    reason = f": {clean(detail.reason, 160)}" if detail.reason and one.change in _WORSE else ""
    return f"{line} on {place}{reason}"


def _sites(failed: Sequence[SitePart]) -> Section | None:
    if not failed:
        return None
    lines = [
        f"{clean(site.name)}: {clean(site.reason or ('offline' if site.offline else 'failed'), 200)}"
        for site in failed[:SITES_MOST]
    ]
    if len(failed) > SITES_MOST:
        lines.append(f"and {len(failed) - SITES_MOST} more")
    return Section("Could not be scanned", tuple(lines))


def _for_chat(line: str) -> str:
    return line.translate(_CHAT).replace("://", "：//")  # noqa: RUF001 - a colon that makes no link


def _count(number: int, noun: str) -> str:
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} " + (noun[:-1] + "ies" if noun.endswith("y") else noun + "s")
