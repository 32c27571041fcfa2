"""continuous matching"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Bring the database to this revision."""
    op.create_table(
        "matched_catalogue",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_matched_catalogue")),
    )
    op.create_table(
        "unaffected",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("scan_id", sa.Uuid(), nullable=False),
        sa.Column("host_id", sa.Uuid(), nullable=False),
        sa.Column("cve_id", sa.String(), nullable=False),
        sa.Column("cpe", sa.String(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=True),
        sa.Column("seen", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("fixed_in", sa.String(), nullable=True),
        sa.Column("advisory", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["host_id"], ["host.id"], name=op.f("fk_unaffected_host_id_host"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["scan_id"], ["scan.id"], name=op.f("fk_unaffected_scan_id_scan"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unaffected")),
        sa.UniqueConstraint(
            "host_id", "cve_id", "cpe", "port", name=op.f("uq_unaffected_host_id_cve_id_cpe_port")
        ),
    )
    op.create_index("ix_unaffected_scan", "unaffected", ["scan_id"], unique=False)
    # every finding so far came out of its scan
    op.add_column("finding", sa.Column("source", sa.String(), nullable=False, server_default="scan"))
    op.alter_column("finding", "source", server_default=None)
    op.add_column("finding", sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True))
