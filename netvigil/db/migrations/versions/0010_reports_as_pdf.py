"""reports as pdf: a table for the files that are made once of frozen reports"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Bring the database to this revision; reports of before stay without a PDF."""
    op.create_table(
        "report_pdf",
        sa.Column("scan_id", sa.Uuid(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["scan_id"], ["scan.id"], name=op.f("fk_report_pdf_scan_id_scan"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("scan_id", name=op.f("pk_report_pdf")),
    )
    # it is compressed already; the server must not try again on every write
    op.execute("ALTER TABLE report_pdf ALTER COLUMN content SET STORAGE EXTERNAL")
