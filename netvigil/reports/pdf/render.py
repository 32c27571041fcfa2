"""Runs the child process that sets a report as PDF, with limits of time and memory, beside the event loop."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import netvigil
from netvigil.errors import EnvironmentFault

MIB: Final = 1024 * 1024
_PDF: Final = b"%PDF-"
_SAID_MOST: Final = 500


class RenderFault(EnvironmentFault):
    """The PDF could not be made; the sentence says why."""


@dataclass(frozen=True, slots=True)
class RenderLimits:
    """What one PDF may cost: `seconds` by the clock, `processor_seconds` on all cores, `address_space` in bytes.

    Address space is more than memory in use: measured 309 and 164 MiB for 5,000 findings, 549 and 360 for 20,000.
    """

    seconds: float = 120.0
    processor_seconds: int = 120
    address_space: int = 1024 * MIB


DEFAULT_LIMITS: Final = RenderLimits()
_turns: dict[int, asyncio.Semaphore] = {}


async def render(report: bytes, limits: RenderLimits = DEFAULT_LIMITS) -> bytes:
    """The PDF of a frozen report (JSON text); one at a time in this process. Raises RenderFault.

    The child gets the report on its stdin and knows neither the database nor the settings. When the caller is
    cancelled it is killed.
    """
    async with _turn():
        return await _run(report, limits)


def _turn() -> asyncio.Semaphore:
    loop = asyncio.get_running_loop()
    return _turns.setdefault(id(loop), asyncio.Semaphore(1))


async def _run(report: bytes, limits: RenderLimits) -> bytes:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        "netvigil.reports.pdf.child",
        str(limits.processor_seconds),
        str(limits.address_space),
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        env=_environment(),
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(limits.seconds):
            pdf, said = await child.communicate(report)
    except TimeoutError:
        raise RenderFault(f"Making the PDF took longer than {limits.seconds:.0f} seconds.") from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode != 0 or not pdf.startswith(_PDF):
        raise RenderFault(_reason(child.returncode, said))
    return pdf


def _environment() -> dict[str, str]:
    """Only what finds our package and its libraries: no setting of the service, no secret."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "HOME") if name in os.environ}
    own = str(Path(netvigil.__file__).parent.parent)
    paths = [own, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    # threads of the typesetter, each of which reserves address space
    return {**kept, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)), "RAYON_NUM_THREADS": "2"}


def _reason(status: int | None, said: bytes) -> str:
    words = " ".join(said.decode("utf-8", "replace").split())
    if status is not None and status < 0:
        limit = "memory ran out" if "alloc" in words or status == -6 else f"signal {-status}"  # noqa: PLR2004 - SIGABRT
        return f"The process that makes the PDF was ended ({limit})."
    if "MemoryError" in words:
        return "The process that makes the PDF ran out of memory."
    return f"The PDF could not be made: {words[-_SAID_MOST:] or f'exit status {status}'}"
