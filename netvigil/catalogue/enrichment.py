"""Reads what is known about CVEs beside their records: exploited (KEV), how likely (EPSS), what kind (CWE)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

from sqlalchemy import Integer, Text, any_, bindparam, select
from sqlalchemy.dialects.postgresql import ARRAY

from netvigil.catalogue.models_enrichment import ExploitProbability, KnownExploitedCve, Weakness

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from sqlalchemy.ext.asyncio import AsyncSession

_PREFIX = "CWE-"
_LONGEST_NUMBER = 6


@dataclass(frozen=True, slots=True)
class Exploited:
    """CISA knows of exploitation; `due_date` is until when its agencies must act, `ransomware` a known use."""

    date_added: date
    due_date: date | None
    ransomware: bool
    name: str | None
    required_action: str | None


@dataclass(frozen=True, slots=True)
class Probability:
    """EPSS: the probability of exploitation within 30 days and the rank among all CVEs, both 0 to 1."""

    score: float
    percentile: float
    date: date


@dataclass(frozen=True, slots=True)
class Enrichment:
    """What KEV and EPSS say about a CVE; None where they do not name it."""

    kev: Exploited | None = None
    epss: Probability | None = None


async def get_enrichment(session: AsyncSession, cve_ids: Iterable[str]) -> dict[str, Enrichment]:
    """KEV and EPSS of each of these CVEs, in two round trips; a CVE that neither names has an empty one."""
    wanted = sorted(set(cve_ids))
    if not wanted:
        return {}
    names = bindparam("cve_ids", wanted, ARRAY(Text))  # one parameter, however many names
    listed = await session.scalars(select(KnownExploitedCve).where(KnownExploitedCve.cve_id == any_(names)))
    exploited = {
        row.cve_id: Exploited(
            date_added=row.date_added,
            due_date=row.due_date,
            ransomware=row.ransomware,
            name=row.name,
            required_action=row.required_action,
        )
        for row in listed
    }
    found = await session.execute(
        select(
            ExploitProbability.cve_id,
            ExploitProbability.score,
            ExploitProbability.percentile,
            ExploitProbability.scored_at,
        ).where(ExploitProbability.cve_id == any_(names))
    )
    scores = {
        cve_id: Probability(score, rank, when.astimezone(UTC).date())
        for cve_id, score, rank, when in found.all()
    }
    return {cve_id: Enrichment(exploited.get(cve_id), scores.get(cve_id)) for cve_id in wanted}


async def get_cwe_names(session: AsyncSession, cwe_ids: Iterable[str]) -> dict[str, str]:
    """The names of these weaknesses by their identifier (`CWE-79`); those that are not known are left out."""
    numbers = {number: one for one in cwe_ids if (number := _number(one)) is not None}
    if not numbers:
        return {}
    wanted = bindparam("numbers", sorted(numbers), ARRAY(Integer))
    rows = await session.execute(
        select(Weakness.number, Weakness.name).where(Weakness.number == any_(wanted))
    )
    return {numbers[number]: name for number, name in rows.all()}


def _number(cwe_id: str) -> int | None:
    digits = cwe_id.removeprefix(_PREFIX)
    known = digits != cwe_id and digits.isascii() and digits.isdigit() and len(digits) <= _LONGEST_NUMBER
    return int(digits) if known else None
