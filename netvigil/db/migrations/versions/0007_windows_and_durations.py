"""windows and durations"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Bring the database to this revision; every row keeps its meaning: no window, no longest duration.

    Constant defaults and nullable columns: no table is rewritten.
    """
    for table in ("site", "scan_schedule"):
        windows = sa.Column(
            "maintenance_windows", postgresql.JSONB(), nullable=False, server_default=sa.text("'[]'::jsonb")
        )
        op.add_column(table, windows)
    for table in ("scan_schedule", "scan"):
        op.add_column(table, sa.Column("max_duration_minutes", sa.Integer(), nullable=True))
    op.add_column("scan_schedule", sa.Column("zone_lost_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("site_scan", sa.Column("paused_until", sa.DateTime(timezone=True), nullable=True))
