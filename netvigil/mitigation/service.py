"""The mitigation of a CVE for one organisation: facts, page, and where it is wanted a section by a language model."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import structlog
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError

from netvigil.mitigation.document import build_document
from netvigil.mitigation.markdown import escape_markdown
from netvigil.mitigation.models import WrittenSection
from netvigil.mitigation.prompt import ask_about
from netvigil.mitigation.queries import find_touched, get_facts

if TYPE_CHECKING:
    from uuid import UUID

    from netvigil.db.session import Database
    from netvigil.mitigation.prompt import Question
    from netvigil.mitigation.writer import SectionWriter

log = structlog.get_logger(__name__)
_HEADING: Final = "## Written by a language model, not verified"
_WARNING: Final = (
    "The quotation is by the model {model}, from the public facts above, and nobody has checked it. It knows nothing of your "
    "network. Run no command of it that you do not understand; where it contradicts the page above, the page is right."
)


@dataclass(frozen=True, slots=True)
class Mitigation:
    """The page in Markdown, what it was made from in words, and when."""

    cve_id: str
    markdown: str
    source: str
    generated_at: datetime


async def build_mitigation(
    database: Database, organisation_id: UUID, cve_id: str, writer: SectionWriter | None
) -> Mitigation:
    """What to do about a CVE in the catalogue; raises NotFound for one that is not in it.

    It takes the database instead of a session, because no connection may be held while the model thinks.
    """
    now = datetime.now(UTC)
    async with database.reading() as session:
        facts = await get_facts(session, cve_id)
        touched = await find_touched(session, organisation_id, cve_id)
    markdown = build_document(facts, touched, now)
    source = f"netvigil ({', '.join(facts.sources)})" if facts.sources else "netvigil"
    if writer is not None and not facts.rejected:
        section = await _section(database, writer, ask_about(facts))
        if section is not None:
            warning = _WARNING.format(model=escape_markdown(writer.endpoint.model, 100))
            markdown += f"\n{_HEADING}\n\n{warning}\n\n{section}\n"
            source += ", with a section by a language model"
    return Mitigation(cve_id, markdown, source, now)


async def _section(database: Database, writer: SectionWriter, question: Question) -> str | None:
    """The model's section, from the cache or newly written and kept; None where there is none to be had."""
    model = writer.endpoint.model
    async with database.reading() as session:
        kept = await session.scalar(
            select(WrittenSection.section).where(
                WrittenSection.cve_id == question.cve_id,
                WrittenSection.model == model,
                WrittenSection.digest == question.digest,
            )
        )
    if kept is not None:
        return kept
    section = await writer.write(question)
    if section is None:
        return None
    new = {"digest": question.digest, "section": section}
    statement = insert(WrittenSection).values(cve_id=question.cve_id, model=model, **new)
    try:
        async with database.transaction() as session:
            await session.execute(
                statement.on_conflict_do_update(
                    index_elements=["cve_id", "model"], set_={**new, "written_at": func.now()}
                )
            )
    except SQLAlchemyError as error:  # the reader has the text; the next one asks again
        log.warning("a written section was not kept", cve=question.cve_id, reason=str(error)[:300])
    return section
