"""Retrying and cancelling by hand never breaks a scan's own rows."""

import pytest
from sqlalchemy import text

from netvigil.errors import Conflict, NotFound
from netvigil.jobs import enqueue
from netvigil.jobs.looking import drop_waiting, list_jobs, retry_failed


async def test_jobs_are_listed_retried_and_cancelled(service):
    async with service.database.transaction() as session:
        plain = await enqueue(session, "catalogue.sync_feeds")
        scan = await enqueue(session, "scans.run_site_scan", lock="site:x", site_scan_id="s")
    async with service.database.transaction() as session:
        seen = {job.id: job for job in await list_jobs(session, ["todo"])}
        assert seen[scan].lock == "site:x"
        assert seen[scan].arguments == {"site_scan_id": "s"}
        with pytest.raises(Conflict, match="belongs to a scan"):
            await drop_waiting(session, scan)
        with pytest.raises(Conflict, match="has not failed"):
            await retry_failed(session, plain)
        with pytest.raises(NotFound):
            await drop_waiting(session, 10**9)
        await drop_waiting(session, plain)
    async with service.database.transaction() as session:
        assert plain not in {job.id for job in await list_jobs(session, ["todo", "doing"])}
        await session.execute(text("UPDATE procrastinate_jobs SET status = 'failed'"))
        with pytest.raises(Conflict, match="is a scan's"):
            await retry_failed(session, scan)
