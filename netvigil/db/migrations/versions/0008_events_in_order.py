"""events in order: each names its transaction, and the database tells who listens that a scan has news"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"

_TELL_EVENT = """
CREATE FUNCTION netvigil_tell_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('netvigil_scan', NEW.scan_id::text);
  RETURN NULL;
END $$"""

# Twice a second a site at most: a notification makes its commit wait for those of others.
_TELL_PROGRESS = """
CREATE FUNCTION netvigil_tell_progress() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.told_at IS NULL OR clock_timestamp() - OLD.told_at NOT BETWEEN interval '0' AND interval '0.5 s' THEN
    NEW.told_at := clock_timestamp();
    PERFORM pg_notify('netvigil_scan', NEW.scan_id::text);
  END IF;
  RETURN NEW;
END $$"""


def upgrade() -> None:
    """Bring the database to this revision; no table is rewritten.

    Events that are there already get the transaction 0, which every snapshot sees: nobody writes while the
    table is altered, so they all have ended.
    """
    op.add_column(
        "scan_event", sa.Column("xid", sa.BigInteger(), nullable=False, server_default=sa.text("0"))
    )
    op.alter_column("scan_event", "xid", server_default=sa.text("pg_current_xact_id()::text::bigint"))
    op.create_index("ix_scan_event_xid", "scan_event", ["xid"], unique=False)
    op.add_column("site_scan", sa.Column("seconds", postgresql.JSONB(), nullable=True))
    op.add_column("site_scan", sa.Column("told_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(_TELL_EVENT)
    op.execute(_TELL_PROGRESS)
    op.execute(
        "CREATE TRIGGER tell_event AFTER INSERT ON scan_event FOR EACH ROW EXECUTE FUNCTION netvigil_tell_event()"
    )
    op.execute("""
        CREATE TRIGGER tell_progress BEFORE UPDATE ON site_scan FOR EACH ROW
        WHEN ((OLD.state, OLD.stage, OLD.percent, OLD.hosts_done, OLD.hosts_total)
              IS DISTINCT FROM (NEW.state, NEW.stage, NEW.percent, NEW.hosts_done, NEW.hosts_total))
        EXECUTE FUNCTION netvigil_tell_progress()""")
