"""what a language model wrote about CVEs, and fix data found by CVE"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Bring the database to this revision; no row changes."""
    op.create_table(
        "written_section",
        sa.Column("cve_id", sa.Text(collation="C"), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("section", sa.Text(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("cve_id", "model", name="pk_written_section"),
    )
    op.create_index("ix_package_fix_cve", "package_fix", ["cve_id"], unique=False)
