"""What a language model wrote about a CVE, kept so that it is asked once."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Text, func
from sqlalchemy.orm import Mapped, mapped_column

from netvigil.db.base import Base


class WrittenSection(Base):
    """One model's text about a CVE, cleaned; `digest` is that of the facts it was written from.

    Only public facts went into it, so every organisation may read the same row. Other facts replace it.
    """

    __tablename__ = "written_section"

    cve_id: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    model: Mapped[str] = mapped_column(Text, primary_key=True)
    digest: Mapped[str] = mapped_column(Text)
    section: Mapped[str] = mapped_column(Text)
    written_at: Mapped[datetime] = mapped_column(server_default=func.now())
