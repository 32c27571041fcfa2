"""The queue's own tables, created and upgraded after ours."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

# For `fence`'s look for work. Without them it reads all that waits: a job for each schedule, and there may be very many.
_OUR_INDEXES = """
CREATE INDEX IF NOT EXISTS netvigil_jobs_lock ON procrastinate_jobs (lock) WHERE status IN ('todo', 'doing');
CREATE INDEX IF NOT EXISTS netvigil_jobs_ready ON procrastinate_jobs (queue_name, priority DESC, id)
WHERE status = 'todo' AND scheduled_at IS NULL;
CREATE INDEX IF NOT EXISTS netvigil_jobs_planned ON procrastinate_jobs (queue_name, scheduled_at, id)
WHERE status = 'todo' AND scheduled_at IS NOT NULL"""


async def apply_schema(connection: psycopg.AsyncConnection[Any]) -> list[str]:
    """Create or upgrade the queue's own tables; returns what was applied. Caller holds the migration lock.

    procrastinate ships a whole schema and the steps between its versions; we note which steps this
    database has, so that an upgrade of the library runs the new ones in order.
    """
    folder = resources.files("procrastinate") / "sql" / "migrations"
    steps = sorted(f.name for f in folder.iterdir() if f.name.endswith(".sql"))
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS job_schema_step (name text PRIMARY KEY, applied_at timestamptz DEFAULT now())"
    )
    rows = await (await connection.execute("SELECT name FROM job_schema_step")).fetchall()
    done = {row[0] for row in rows}
    if done:
        new = [(name, (folder / name).read_text()) for name in steps if name not in done]
    else:
        whole = (resources.files("procrastinate") / "sql" / "schema.sql").read_text()
        new = [("schema.sql", whole)]
    for _, sql in new:
        await connection.execute(sql.encode())
    await connection.execute(_OUR_INDEXES)
    names = [name for name, _ in new]
    record = names + (steps if not done else [])
    async with connection.cursor() as cursor:
        await cursor.executemany("INSERT INTO job_schema_step (name) VALUES (%s)", [(n,) for n in record])
    return names
