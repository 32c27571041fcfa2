"""A schedule over two sites and a scan of it that met devices which attack whoever reads their words."""

import pytest
from report_samples import EVIL, OTHER_SITE, SITE, evil_host, load, record, run_scan


@pytest.fixture
def make_schedule(api):
    """Creates a schedule of one site or more; gives its id."""

    async def make(*sites, **fields):
        body = {
            "description": "=1+1 <b>A</b> test",
            "day_of_week": 1,
            "time_of_day": "02:00",
            "every_n_weeks": 2,
            "timezone": "UTC",
            "min_cvss": 0,
            "warning_threshold": 9,
            "notification_group": "nobody",
            "sites": list(sites) or [{"id": SITE, "subnet": "192.168.88.0/24"}],
            **fields,
        }
        answer = await api.post("/scans/cve/scheduled", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    return make


@pytest.fixture
def two_sites():
    return [{"id": SITE, "subnet": "192.168.88.0/24"}, {"id": OTHER_SITE, "subnet": "192.168.88.0/24"}]


@pytest.fixture
async def evil_scan(api, database, make_schedule, tmp_path):
    """A stored scan whose every device-given string is hostile, and two CVEs whose text is too."""
    text = " ".join(EVIL[:6]) + "\n=2+2\n" + EVIL[9] + EVIL[10]
    await load(
        database.engine,
        tmp_path,
        record("CVE-2099-0001", description=text),
        record("CVE-2099-0002", score=5.0, description="=cmd|' /C calc'!A0"),
    )
    hosts = [evil_host(number, one) for number, one in enumerate(EVIL, start=1)]
    return await run_scan(api, database, await make_schedule(), *hosts)
