"""on demand scans"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Bring the database to this revision: scans on demand may run beside their schedule's own."""
    op.add_column(
        "site_scan",
        sa.Column(
            "around",
            postgresql.ARRAY(postgresql.CIDR()),
            nullable=False,
            server_default=sa.text("'{}'::cidr[]"),
        ),
    )
    op.drop_index("uq_scan_active_schedule", table_name="scan")
    op.create_index(
        "uq_scan_active_schedule",
        "scan",
        ["schedule_id"],
        unique=True,
        postgresql_where=sa.text(
            "state IN ('pending', 'running', 'processing') AND trigger IN ('schedule', 'manual')"
        ),
    )
