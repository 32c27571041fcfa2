"""the console: one-time links to sign in, and indexes that count findings by day and by site"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Bring the database to this revision; no row changes."""
    op.create_table(
        "sign_in_code",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_sign_in_code")),
    )
    op.create_index(
        "ix_vulnerability_event_day",
        "vulnerability_event",
        ["organisation_id", "at"],
        postgresql_include=["change", "severity"],
    )
    op.drop_index("ix_vulnerability_site", table_name="vulnerability")
    op.create_index(
        "ix_vulnerability_site",
        "vulnerability",
        ["organisation_id", "site_id", "state"],
        postgresql_include=["severity", "kev"],
    )
