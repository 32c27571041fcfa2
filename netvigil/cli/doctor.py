"""`netvigil doctor`: what this machine needs for scanning, checked for real."""

from __future__ import annotations

import asyncio
import os
import platform
import re
import shutil
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from zoneinfo import available_timezones

import typer
from rich.table import Table

from netvigil.app.service import open_service
from netvigil.catalogue.queries import catalogue_state
from netvigil.cli.common import fail, out, print_json, settings_from
from netvigil.errors import NetvigilError
from netvigil.inventory.oui import find_manufacturer
from netvigil.probing.privileges import Privileges, detect_privileges

if TYPE_CHECKING:
    from pathlib import Path

    from netvigil.settings import Settings

MIKROTIK = "4C:5E:0C:00:00:01"


class Verdict(StrEnum):
    """What a check came to."""

    OK = "ok"  # as it should be
    WARNING = "warning"  # works, with a limit worth knowing
    FAILED = "failed"  # scanning cannot work


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at, and what to do when it is not as it should be."""

    name: str
    verdict: Verdict
    found: str


def run_doctor(data_dir: Path | None, *, as_json: bool) -> None:
    """Print every check; exit 1 when one failed."""
    try:
        settings = settings_from(data_dir, quiet=True)
    except NetvigilError as error:
        fail(error)
    checks = asyncio.run(_checks(settings))
    if as_json:
        print_json([asdict(check) for check in checks])
    else:
        table = Table("Check", "Verdict", "Found")
        for check in checks:
            table.add_row(check.name, check.verdict, check.found)
        out.print(table)
    if any(check.verdict is Verdict.FAILED for check in checks):
        raise typer.Exit(1)


async def _checks(settings: Settings) -> list[Check]:
    return [
        Check("Python", Verdict.OK, f"{platform.python_version()} on {platform.machine()}"),
        await _nmap(),
        _privileges(),
        _data_directory(settings.data_dir),
        *await _database(settings),
        _timezones(),
        _manufacturers(),
    ]


async def _nmap() -> Check:
    path = shutil.which("nmap")
    if path is None:
        return Check("nmap", Verdict.FAILED, "Not installed; type: apt-get install nmap")
    process = await asyncio.create_subprocess_exec(path, "--version", stdout=asyncio.subprocess.PIPE)
    text, _ = await process.communicate()
    version = re.search(rb"version ([0-9.]+)", text)
    if version is None:
        return Check("nmap", Verdict.FAILED, f"{path} does not say its version; reinstall it")
    return Check("nmap", Verdict.OK, f"{version[1].decode()} at {path}")


def _privileges() -> Check:
    if detect_privileges() is Privileges.NONE:
        return Check(
            "Privileges",
            Verdict.WARNING,
            "No raw sockets: scans connect instead, see no MAC address and miss hosts that answer ARP only. "
            "Run as root, or with the capabilities cap_net_raw and cap_net_admin.",
        )
    return Check("Privileges", Verdict.OK, "Raw sockets: ARP, SYN sweeps and MAC addresses work")


def _data_directory(path: Path) -> Check:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        free = shutil.disk_usage(path).free // 2**20
    except OSError as error:
        return Check(
            "Data directory", Verdict.FAILED, f"{path}: {error.strerror}; choose one with --data-dir"
        )
    if not os.access(path, os.W_OK):
        return Check(
            "Data directory", Verdict.FAILED, f"{path} cannot be written; choose one with --data-dir"
        )
    if free < 2048:  # noqa: PLR2004 - MB; a full catalogue needs about 1.5 GB
        return Check(
            "Data directory", Verdict.WARNING, f"{path} has {free} MB free; a full catalogue needs 1.5 GB"
        )
    return Check("Data directory", Verdict.OK, f"{path}, {free} MB free")


async def _database(settings: Settings) -> list[Check]:
    try:
        async with (
            open_service(settings, "netvigil doctor", share=True) as service,
            service.database.session() as session,
        ):
            state = await catalogue_state(session)
    except NetvigilError as error:
        return [Check("Database", Verdict.FAILED, str(error))]
    where = "external" if settings.database_url else "embedded"
    answers = Check("Database", Verdict.OK, f"{where} PostgreSQL answers, schema is current")
    if state.starter_only:
        said = f"Only the starter catalogue of {state.cves} CVEs; see 'netvigil feeds sync'"
        return [answers, Check("Vulnerability data", Verdict.WARNING, said)]
    return [answers, Check("Vulnerability data", Verdict.OK, f"{state.cves:,} CVEs, version {state.version}")]


def _timezones() -> Check:
    number = len(available_timezones())
    if number == 0:
        return Check("Time zones", Verdict.FAILED, "No tz database; type: apt-get install tzdata")
    return Check("Time zones", Verdict.OK, f"{number} names known")


def _manufacturers() -> Check:
    if find_manufacturer(MIKROTIK) is None:
        return Check(
            "Manufacturers", Verdict.WARNING, "The OUI list is not readable: MACs stay without a name"
        )
    return Check("Manufacturers", Verdict.OK, "MAC addresses are named by their maker")
