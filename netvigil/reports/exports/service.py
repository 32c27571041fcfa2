"""Make an export of a scan: read it and how its findings stand, then build the file beside the event loop."""

from __future__ import annotations

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import orjson
import zstandard
from sqlalchemy import select

from netvigil.errors import NotFound
from netvigil.findings.models import Finding
from netvigil.reports.exports.base import Content, Format, Options, Statuses
from netvigil.reports.exports.statuses import read_statuses
from netvigil.reports.listing import build_instances
from netvigil.reports.models import Report

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.scans.models import Scan

FINDINGS_AT_ONCE = 500
# few at a time: a large one takes some hundred megabytes while it is made
_BUILDERS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="export")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


async def export_frozen(session: AsyncSession, scan: Scan, form: Format, options: Options) -> bytes:
    """The frozen report of an ended scan in a form, with the decisions of now; raises NotFound while there is none."""
    stored = await _get_stored(session, scan)
    if form.name == "json":
        return await asyncio.to_thread(zstandard.decompress, stored)
    statuses = await read_statuses(session, scan)
    return await _built(lambda: _document(stored), form, options, statuses)


async def export_current(session: AsyncSession, scan: Scan, form: Format, options: Options) -> bytes:
    """As `export_frozen`, with the findings that today's vulnerability data give for what the scan saw."""
    stored = await _get_stored(session, scan)
    shown = Finding.scan_id == scan.id, Finding.score >= scan.min_cvss, Finding.withdrawn_at.is_(None)
    query = select(Finding).where(*shown).order_by(Finding.score.desc(), Finding.cve_id, Finding.id)
    found = list(await session.scalars(query))
    instances: list[dict[str, Any]] = []
    for start in range(0, len(found), FINDINGS_AT_ONCE):  # each a pause in which others get their turn
        instances += await build_instances(session, found[start : start + FINDINGS_AT_ONCE])
    statuses = await read_statuses(session, scan)
    return await _built(lambda: {**_document(stored), "findings": instances}, form, options, statuses)


async def _get_stored(session: AsyncSession, scan: Scan) -> bytes:
    stored = await session.scalar(select(Report.content).where(Report.scan_id == scan.id))
    if stored is None:
        raise NotFound("The report of this scan does not exist; it is made when the scan ends.")
    return stored


def _document(stored: bytes) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(zstandard.decompress(stored))
    return document


async def _built(
    read: Callable[[], dict[str, Any]], form: Format, options: Options, statuses: Statuses
) -> bytes:
    def build() -> bytes:
        return b"".join(form.render(Content(read(), statuses), options))

    return await asyncio.get_running_loop().run_in_executor(_BUILDERS, build)


def file_name(scan: Scan, form: Format) -> str:
    """What the file is called when it is saved: letters, digits, dots and hyphens only."""
    return f"netvigil-{_UNSAFE.sub('-', scan.human_id)}.{form.extension}"
