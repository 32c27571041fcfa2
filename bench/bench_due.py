"""Schedules that fall due: one on an idle service, and very many in the same minute while clients use the API.

The limit for the one is two seconds. The many (`--schedules`, 10,000) are more than one machine starts at once: what
counts is that those that are latest go first, that none is started twice or forgotten, and that the API answers
meanwhile. Every site is one address that its schedule excludes, so that scans have nothing to do.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg

from netvigil.db.embedded import connect_url

COMMAND = Path(sys.executable).with_name("netvigil")
PORT = 18973
ADD = """
WITH wanted AS (SELECT n, '10.0.0.0'::inet + n AS address FROM generate_series(1, %(number)s) AS n),
made AS (
  INSERT INTO scan_schedule (organisation_id, description, day_of_week, time_of_day, every_n_weeks, timezone, min_cvss,
    warning_threshold, ignore_offline_sites, notification_group, planned_date, next_scan_at, exclusions)
  SELECT %(organisation)s, n::text, extract(dow FROM at), at::time, 2, 'UTC', 4, 7, false, 'nobody', at::date,
    at AT TIME ZONE 'UTC', jsonb_build_object('addresses', jsonb_build_array(host(address)))
  FROM wanted, LATERAL (SELECT %(at)s AT TIME ZONE 'UTC' AS at) due
  RETURNING id, organisation_id, next_scan_at, description::int AS n),
sites AS (
  INSERT INTO site (organisation_id, id, name, networks, vantage, registration)
  SELECT organisation_id, md5(n::text)::uuid, 'Site ' || n, ARRAY[('10.0.0.0'::inet + n)::cidr], '{"type": "local"}',
    'person' FROM made RETURNING id),
parts AS (
  INSERT INTO schedule_site (schedule_id, position, organisation_id, site_id, subnet)
  SELECT id, 0, organisation_id, md5(n::text)::uuid, ('10.0.0.0'::inet + n)::cidr FROM made)
INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock, args, scheduled_at)
SELECT 'due', 'scans.start_due', 'schedule:' || id, jsonb_build_object('schedule_id', id::text, 'planned_at',
  to_char(next_scan_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US+00:00')), next_scan_at FROM made
"""
LATE = """
SELECT extract(epoch FROM decided_at - planned_at)::float, outcome FROM occurrence
WHERE schedule_id = ANY (SELECT id FROM scan_schedule WHERE organisation_id = %s) ORDER BY decided_at"""


def percentile(values, share):
    """The value that this share of the values stays below."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


async def fall_due(connection, number, pause):
    """So many schedules of a new organisation, due at the next full minute that is `pause` seconds away; its id."""
    organisation = uuid4()
    await connection.execute(
        "INSERT INTO organisation (id, key) VALUES (%s, %s)", [organisation, str(organisation)]
    )
    [at] = await (
        await connection.execute("SELECT date_trunc('minute', now() + (%s + 60) * interval '1 s')", [pause])
    ).fetchone()
    await connection.execute(ADD, {"number": number, "organisation": organisation, "at": at})
    await connection.execute("ANALYZE")
    return organisation


async def wait_for(connection, organisation, number, asked):
    """Until all have been decided on; their lateness in seconds in the order of being decided."""
    while True:
        rows = await (await connection.execute(LATE, [organisation])).fetchall()
        if len(rows) >= number:
            break
        await asked()
    outcomes = {outcome for _, outcome in rows}
    if len(rows) != number or outcomes != {"started"}:
        raise SystemExit(f"{len(rows)} decisions for {number} schedules: {outcomes}")
    return [late for late, _ in rows]


async def main(given):
    with tempfile.TemporaryDirectory(prefix="netvigil-bench-") as folder:
        data = ["--data-dir", folder]
        service = await asyncio.create_subprocess_exec(
            COMMAND, "serve", "--port", str(PORT), *data, stderr=subprocess.DEVNULL
        )
        try:
            await asyncio.sleep(8)
            made = await asyncio.create_subprocess_exec(
                COMMAND, "token", "create", "--org", "bench", "--scope", "*", *data, stdout=subprocess.PIPE
            )
            headers = {"Authorization": f"Bearer {(await made.communicate())[0].decode().strip()}"}
            async with (
                httpx.AsyncClient(
                    base_url=f"http://127.0.0.1:{PORT}", headers=headers, timeout=60, trust_env=False
                ) as api,
                await psycopg.AsyncConnection.connect(connect_url(Path(folder)), autocommit=True) as line,
            ):
                await measure(api, line, given.schedules)
        finally:
            service.terminate()
            await service.wait()


async def measure(api, line, schedules):
    """Some on an idle service, then all."""
    answers = []

    async def ask():
        started = time.monotonic()
        (await api.get("/scans/cve/scheduled?limit=20")).raise_for_status()
        answers.append(time.monotonic() - started)
        await asyncio.sleep(0.2)

    late = await wait_for(line, await fall_due(line, 20, 2), 20, ask)
    print(
        f"20 schedules, one a second: latest {max(late):.2f} s after its time, {max(late) / 2:.2f} of the limit"
    )
    answers.clear()
    late = await wait_for(line, await fall_due(line, schedules, 20), schedules, ask)
    print(
        f"{schedules} schedules at once: {schedules / max(late):.0f} started a second, {percentile(late, 0.5):.1f} s late at "
        f"the median, {max(late):.1f} s at most; a page of schedules meanwhile: "
        f"{1000 * percentile(answers, 0.5):.0f} ms, {1000 * percentile(answers, 0.99):.0f} ms at the 99th percentile"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=10_000)
    asyncio.run(main(parser.parse_args()))
