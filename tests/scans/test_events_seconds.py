"""How long the stages took is stored with the run that took so long, and with no other."""

import pytest
from sqlalchemy import select

from netvigil.errors import Superseded
from netvigil.probing.progress import Stage
from netvigil.scans import run as writes
from netvigil.scans.events import record_seconds
from netvigil.scans.models import SiteScan
from netvigil.scans.states import SiteScanState


async def test_seconds_are_stored_by_the_run_that_is_current(api, make_schedule, database):
    schedule_id = await make_schedule()
    assert (await api.post(f"/scans/cve/scheduled/{schedule_id}/invoke")).status_code == 202
    async with database.session() as session:
        site_scan_id = await session.scalar(select(SiteScan.id))
    frozen = await writes.begin(database, site_scan_id)
    current = await writes.begin(database, site_scan_id)
    with pytest.raises(Superseded):
        await record_seconds(database, frozen, {Stage.SWEEP: 99.0})
    await record_seconds(database, current, {Stage.REACH: 0.1234567, Stage.SWEEP: 2})
    await writes.end(database, current, SiteScanState.SCANNED)
    with pytest.raises(Superseded):
        await record_seconds(database, current, {Stage.SWEEP: 99.0})
    async with database.session() as session:
        assert await session.scalar(select(SiteScan.seconds)) == {"reach": 0.123, "sweep": 2}
