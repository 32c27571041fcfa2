"""Sequences of scans without a packet, and CVEs of our own making."""

import pytest
from scan_sequences import OFFICE


@pytest.fixture
async def office(scans):
    """A schedule of one office."""
    return await scans.schedule((OFFICE, "192.168.88.0/24"))
