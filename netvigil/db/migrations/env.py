"""Alembic's environment: migrations run on the connection that `db.migrate` hands in."""

from __future__ import annotations

from alembic import context

from netvigil.db.base import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    include_name=lambda name, kind, _: (
        not (kind == "table" and name is not None and name.startswith(("procrastinate_", "job_schema_step")))
    ),
)
with context.begin_transaction():
    context.run_migrations()
