"""Tables of distributions' fix data: which package version carries the fix of a CVE, by whose word."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Identity, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from netvigil.db.base import Base


class PackageAdvisory(Base):
    """One record of a distribution's data (OSV `id`); a withdrawn one stays, so that an older file cannot revive it."""

    __tablename__ = "package_advisory"

    advisory: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    catalogue_version: Mapped[int]
    modified: Mapped[datetime]
    withdrawn: Mapped[bool]


class PackageFix(Base):
    """From which package version to which a release's package has a CVE; both may repeat for several advisories.

    `ecosystem` and `release` are OSV's `Debian:12` in its parts, `package` the name that the source uses (Debian:
    the source package). Affected is `introduced` <= version < `fixed`, or <= `last_affected`; where both are
    None, there is no fix yet. `introduced` is None for "from the beginning".
    """

    __tablename__ = "package_fix"
    __table_args__ = (
        Index("ix_package_fix_package", "ecosystem", "package"),
        Index("ix_package_fix_advisory", "advisory"),
        Index("ix_package_fix_cve", "cve_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    advisory: Mapped[str] = mapped_column(Text(collation="C"))
    ecosystem: Mapped[str] = mapped_column(Text(collation="C"))
    release: Mapped[str] = mapped_column(Text(collation="C"))
    package: Mapped[str] = mapped_column(Text(collation="C"))
    cve_id: Mapped[str] = mapped_column(Text(collation="C"))
    introduced: Mapped[str | None] = mapped_column(Text)
    fixed: Mapped[str | None] = mapped_column(Text)
    last_affected: Mapped[str | None] = mapped_column(Text)
