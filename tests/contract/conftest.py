"""What the contract's tests share: the published page's example, and schedules made from it."""

import copy
from uuid import UUID

import pytest

SITE = "9c3c1392-7f36-4240-85f2-273573c0384a"
SCHEDULES = "/scans/cve/scheduled"


@pytest.fixture
def published_example():
    """The page's example request, its two misspelt keys corrected."""
    return copy.deepcopy(
        {
            "description": "Weekly Scan for Main Office",
            "day_of_week": 1,
            "time_of_day": "02:00",
            "every_n_weeks": 2,
            "timezone": "America/New_York",
            "min_cvss": 4,
            "warning_threshold": 7,
            "ignore_offline_sites": False,
            "notification_group": "security-alerts",
            "sites": [{"id": SITE, "subnet": "192.168.1.0/24"}],
        }
    )


@pytest.fixture
def create(api, published_example):
    """Create a schedule from the example with some fields changed; gives the answered body."""

    async def run(**changes):
        answer = await api.post(SCHEDULES, json={**published_example, **changes})
        assert answer.status_code == 201, answer.text
        return answer.json()

    return run


@pytest.fixture
def token_of(make_token):
    """An Authorization header for an organisation with some scopes."""

    def run(*scopes, organisation="acme"):
        return {"Authorization": f"Bearer {make_token(*scopes, organisation=organisation)}"}

    return run


@pytest.fixture
def is_uuid():
    """Whether a text is a UUID in the canonical form."""

    def check(value):
        return isinstance(value, str) and str(UUID(value)) == value

    return check
