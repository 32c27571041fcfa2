"""`/healthz` and `/readyz`: whether the process is alive, and whether it can do its work, and why not."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import structlog
from alembic.script import ScriptDirectory
from fastapi.responses import JSONResponse
from sqlalchemy import text

from netvigil.db.migrate import alembic_config

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

    from netvigil.db.session import Database

log = structlog.get_logger(__name__)
PATIENCE_SECONDS = 3.0


def add_health(app: FastAPI, database: Database, why_idle: Callable[[], str | None]) -> None:
    """Serve both; `why_idle` says in a sentence why this process's worker does not work, None when it does."""

    # HEAD too: load balancers and monitors ask so
    @app.head("/healthz", include_in_schema=False)
    @app.get("/healthz", tags=["Health"], summary="The process is alive")
    async def healthz() -> dict[str, Any]:
        return {"status": "ok"}

    @app.head("/readyz", include_in_schema=False, response_model=None)
    @app.get(
        "/readyz",
        tags=["Health"],
        summary="The service can do its work",
        response_model=None,
        responses={503: {"description": "It cannot; `reason` says why."}},
    )
    async def readyz() -> Any:
        reason = await why_unready(database) or why_idle()
        if reason is not None:
            return JSONResponse({"status": "unavailable", "reason": reason}, 503)
        return {"status": "ready"}


async def why_unready(database: Database) -> str | None:
    """Why requests cannot be served, None when they can."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS), database.session() as session:
            found = await session.scalar(text("SELECT version_num FROM alembic_version"))
    except Exception as error:  # noqa: BLE001 - whatever the database says, the answer is the same
        log.warning("the database does not answer", error=str(error)[:200])
        return "the database does not answer"
    known = await asyncio.to_thread(newest_revision)
    if found != known:
        return f"the database is at revision {found} and this program at {known}: start the newer netvigil everywhere"
    return None


@lru_cache(maxsize=1)
def newest_revision() -> str | None:
    """The revision that this program's migrations lead to."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head()
