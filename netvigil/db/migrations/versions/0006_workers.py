"""workers"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Bring the database to this revision: no table is rewritten, and site scans that wait wait as before."""
    op.create_table(
        "worker",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(), nullable=False, server_default=""),
        sa.Column("vantages", postgresql.ARRAY(sa.String()), nullable=False),
        sa.Column("lanes", postgresql.ARRAY(sa.BigInteger()), nullable=False, server_default=sa.text("'{}'")),
        _moment("started_at"),
        _moment("seen_at"),
        sa.PrimaryKeyConstraint("id", name="pk_worker"),
    )
    op.add_column("site_scan", sa.Column("unreached_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("site_scan", sa.Column("held_back_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_site_scan_held_back",
        "site_scan",
        ["held_back_at"],
        unique=False,
        postgresql_where=sa.text("held_back_at IS NOT NULL AND job_id IS NULL"),
    )


def _moment(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()"))
