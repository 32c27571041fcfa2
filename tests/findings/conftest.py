"""Sequences of scans without a packet, and CVEs of our own making."""

import json

import pytest
from scan_sequences import OFFICE, Scans

from netvigil.catalogue.importer import import_paths


@pytest.fixture
def load(tmp_path, database):
    """Imports records made by `cve`."""

    async def load(*records):
        path = tmp_path / "feed.json"
        document = {"vulnerabilities": [{"cve": one} for one in records], "totalResults": len(records)}
        path.write_text(json.dumps(document))
        await import_paths(database.engine, [path])

    return load


@pytest.fixture
def scans(api, database):
    """Scans of a service without a worker."""
    return Scans(api, database)


@pytest.fixture
async def office(scans):
    """A schedule of one office."""
    return await scans.schedule((OFFICE, "192.168.88.0/24"))
