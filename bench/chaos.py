"""Break a fleet for minutes while it scans the built-in lab, then check every invariant: `make chaos`.

`python bench/chaos.py [--seconds 600] [--seed N] [--report FILE]`. Kills (-9) and freezes workers and services, kills the
database, stops scans and starts others on demand, at random but by the seed. Exit 1 when an invariant does not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg
from chaos_fleet import COMMAND, Fleet
from chaos_invariants import check_database, check_downloads, check_reports

from netvigil.lab.service import Lab

SUBNET = "127.93.0.0/30"
SITES = 10
CALM_SECONDS = 240


@dataclass
class Run:
    """One run: what was done when, and what the API answered."""

    fleet: Fleet
    dice: random.Random
    token: str
    schedules: list[str] = field(default_factory=list)
    sites: list[str] = field(default_factory=list)
    started: set[str] = field(default_factory=set)
    stopped: set[str] = field(default_factory=set)
    events: list[str] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    def note(self, text: str) -> None:
        self.events.append(f"{time.monotonic() - self.began:7.1f} {text}")
        print(self.events[-1], flush=True)

    async def call(self, method: str, path: str, body: dict | None = None) -> httpx.Response | None:
        """One request to a service that is chosen by chance; None when nobody answers it."""
        port = self.dice.choice(self.fleet.ports)
        headers = {"Authorization": f"Bearer {self.token}"}
        try:
            async with httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=20, trust_env=False
            ) as api:
                answer = await api.request(method, path, json=body)
        except httpx.HTTPError as error:
            self.errors[type(error).__name__] = self.errors.get(type(error).__name__, 0) + 1
            return None
        if answer.status_code >= 500:
            self.errors[str(answer.status_code)] = self.errors.get(str(answer.status_code), 0) + 1
        return answer

    async def insist(self, method: str, path: str, body: dict | None = None) -> httpx.Response:
        """The same until it is answered."""
        while True:
            answer = await self.call(method, path, body)
            if answer is not None and answer.status_code < 500:
                return answer
            await asyncio.sleep(1)

    async def prepare(self) -> None:
        for number in range(SITES):
            site = f"00000000-0000-4000-8000-{number:012d}"
            answer = await self.insist("POST", "/scans/cve/scheduled", _schedule(site))
            answer.raise_for_status()
            self.sites.append(site)
            self.schedules.append(answer.json()["id"])

    async def ask_for_scans(self) -> None:
        """A client that starts scans all the time, and stops some."""
        while True:
            schedule = self.dice.choice(self.schedules)
            answer = await self.call("POST", f"/scans/cve/scheduled/{schedule}/invoke")
            if answer is not None and answer.status_code == 202:
                self.started.add(answer.json()["scan_id"])
            if self.dice.random() < 0.08:
                answer = await self.call("DELETE", f"/scans/cve/scheduled/{schedule}/invoke")
                if answer is not None and answer.status_code == 200:
                    self.stopped.add(answer.json()["scan_id"])
            if self.dice.random() < 0.1:
                await self._ask_on_demand()
            await asyncio.sleep(self.dice.uniform(0.2, 1.5))

    async def _ask_on_demand(self) -> None:
        number = self.dice.randrange(SITES)
        body = {
            "schedule_id": self.schedules[number],
            "site_id": self.sites[number],
            "ip_address": "127.93.0.1",
        }
        answer = await self.call("POST", "/scans/cve/scheduled/single-ip", body)
        if answer is not None and answer.status_code == 202:
            self.started.add(answer.json()["scan_id"])

    async def break_things(self, until: float) -> None:
        while time.monotonic() < until:
            await asyncio.sleep(self.dice.uniform(2, 8))
            await self.dice.choice((self._kill, self._kill, self._kill, self._freeze, self._end, self._cut))()
            await self.fleet.revive()

    async def _kill(self) -> None:
        member = self.dice.choice(self.fleet.members)
        self.note(f"kill -9 {member.name}")
        member.send(signal.SIGKILL)
        await asyncio.sleep(self.dice.uniform(0, 12))

    async def _freeze(self) -> None:
        member = self.dice.choice(self.fleet.members)
        seconds = self.dice.uniform(3, 40)
        self.note(f"freeze {member.name} for {seconds:.0f} s")
        member.send(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        member.send(signal.SIGCONT)

    async def _end(self) -> None:
        member = self.dice.choice(self.fleet.members)
        self.note(f"terminate {member.name}")
        await member.end()

    async def _cut(self) -> None:
        self.note("kill -9 the database")
        await self.fleet.restart_database()

    async def calm_down(self) -> bool:
        """Whether every scan ended once nothing was broken any more."""
        end = time.monotonic() + CALM_SECONDS
        while time.monotonic() < end:
            await self.fleet.revive()
            reports = (await self.insist("GET", "/scans/cve?limit=500")).json()
            if not any(report["running"] for report in reports):
                return True
            await asyncio.sleep(2)
        return False

    async def all_reports(self) -> list[dict]:
        reports, path = [], "/scans/cve?limit=500"
        while path:
            answer = await self.insist("GET", path)
            reports += answer.json()
            link = answer.links.get("next", {}).get("url")
            path = link.partition("//")[2].partition("/")[2] if link else ""
            path = f"/{path}" if path else ""
        return reports


def _schedule(site: str) -> dict:
    return {
        "description": f"chaos {site[-2:]}",
        "day_of_week": 0,
        "time_of_day": "03:00",
        "every_n_weeks": 2,
        "timezone": "UTC",
        "min_cvss": 0,
        "warning_threshold": 7,
        "notification_group": "nobody",
        "profile": "quick",
        "sites": [{"id": site, "subnet": SUBNET}],
    }


async def undisturbed(run: Run) -> dict[str, set[str]]:
    """The findings of one scan in peace: what every completed one must have."""
    answer = await run.insist("POST", f"/scans/cve/scheduled/{run.schedules[0]}/invoke")
    scan_id = answer.json()["scan_id"]
    run.started.add(scan_id)
    while (report := (await run.insist("GET", f"/scans/cve/{scan_id}")).json())["running"]:
        await asyncio.sleep(1)
    if report["state"] != "completed":
        raise SystemExit(f"the undisturbed scan did not complete: {report}")
    async with await psycopg.AsyncConnection.connect(run.fleet.database.url) as connection:
        rows = await (
            await connection.execute(
                "SELECT host(h.address), f.cve_id FROM host h LEFT JOIN finding f ON f.host_id = h.id WHERE h.scan_id = %s",
                [scan_id],
            )
        ).fetchall()
    found: dict[str, set[str]] = {}
    for address, cve in rows:
        found.setdefault(address, set()).update({cve} - {None})
    return found


async def check(run: Run, expected: dict[str, set[str]]) -> list[str]:
    """Every violation of an invariant, as sentences."""
    reports = await run.all_reports()
    violations = list(check_reports(reports, run.started, run.stopped))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{run.fleet.ports[0]}", trust_env=False) as api:
        violations += await check_downloads(api, reports)
    async with await psycopg.AsyncConnection.connect(run.fleet.database.url) as connection:
        violations += await check_database(connection, expected)
        states = await (
            await connection.execute("SELECT state, count(*) FROM scan GROUP BY 1 ORDER BY 1")
        ).fetchall()
    run.note(f"scans by state: {dict(states)}; answers lost to the client: {run.errors}")
    return violations


async def go(seconds: float, seed: int, report: Path) -> int:
    """The whole run; returns the exit status."""
    with tempfile.TemporaryDirectory(prefix="netvigil-chaos-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # noqa: ASYNC240 - nothing runs yet
        fleet = Fleet(folder)
        async with Lab.start("127.93.0.0/28"):
            await fleet.start()
            try:
                violations, run = await _go(fleet, folder, seconds, seed)
            finally:
                with contextlib.suppress(TimeoutError):
                    await fleet.end()
        left = await asyncio.to_thread(
            subprocess.run, ["pgrep", "-af", str(folder)], capture_output=True, text=True, check=False
        )
        violations += [
            f"a process is left: {line}" for line in left.stdout.splitlines() if "pgrep" not in line
        ]
    text = json.dumps(
        {
            "seed": seed,
            "seconds": seconds,
            "scans": len(run.started),
            "events": run.events,
            "violations": violations,
        },
        indent=1,
    )
    report.write_text(text)  # noqa: ASYNC240 - nothing runs any more
    print(f"seed {seed}: {len(run.started)} scans started, {len(violations)} violations; report in {report}")
    for violation in violations[:40]:
        print(" ", violation)
    return 1 if violations else 0


async def _go(fleet: Fleet, folder: Path, seconds: float, seed: int) -> tuple[list[str], Run]:
    made = await asyncio.to_thread(
        subprocess.run,
        [
            str(COMMAND),
            "token",
            "create",
            "--org",
            "chaos",
            "--scope",
            "*",
            "--data-dir",
            str(folder / "data"),
        ],
        env=fleet.members[0].environment,
        capture_output=True,
        text=True,
        check=True,
    )
    run = Run(fleet, random.Random(seed), made.stdout.strip())
    await run.prepare()
    expected = await undisturbed(run)
    run.note(f"an undisturbed scan has {sum(map(len, expected.values()))} findings on {len(expected)} hosts")
    client = asyncio.create_task(run.ask_for_scans())
    await run.break_things(time.monotonic() + seconds)
    client.cancel()
    await asyncio.gather(client, return_exceptions=True)
    run.note("nothing is broken any more")
    ended = await run.calm_down()
    run.note("every scan has ended" if ended else f"scans still run after {CALM_SECONDS} s")
    return await check(run, expected), run


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=420)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--report", type=Path, default=Path("chaos-report.json"))
    given = parser.parse_args()
    return asyncio.run(go(given.seconds, given.seed, given.report))


if __name__ == "__main__":
    sys.exit(main())
