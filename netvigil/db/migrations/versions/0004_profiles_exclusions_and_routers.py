"""profiles, exclusions and routers"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Bring the database to this revision; what it holds becomes what was meant before: standard, nothing excluded."""
    for table in ("scan_schedule", "site_scan"):
        op.add_column(
            table, sa.Column("profile", sa.String(), nullable=False, server_default=sa.text("'standard'"))
        )
        op.add_column(table, _json("exclusions", "{}"))
    op.add_column("site", _json("exclusions", "{}"))
    op.add_column("site", _json("limits", "{}"))
    op.add_column("site", sa.Column("router", postgresql.JSONB(), nullable=True))
    op.add_column("site", sa.Column("router_secret", sa.LargeBinary(), nullable=True))
    op.add_column("host", sa.Column("model", sa.String(), nullable=True))
    op.add_column("host", sa.Column("mac_source", sa.String(), nullable=True))
    op.add_column("host", _json("notes", "[]"))
    op.add_column("service", _json("facts", "{}"))


def _json(name: str, empty: str) -> sa.Column[object]:
    return sa.Column(name, postgresql.JSONB(), nullable=False, server_default=sa.text(f"'{empty}'::jsonb"))
