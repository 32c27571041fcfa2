"""Tables of the catalogue: one row for each CVE, found by the products it names; its parts; and a log of imports."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, Integer, LargeBinary, SmallInteger, Text, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from netvigil.db.base import Base

STARTER = "starter"
"""The `source` under which the import log names the package's own records."""


class Cve(Base):
    """One CVE, computed from its parts (`parts` says how): what finds it, and what it is filtered by.

    `product_keys` are the vulnerable products as numbers (`encoding.product_key`): a GIN index over them is smaller
    than a table of pairs and cannot hold a stale one. `configured_by` is the source whose configurations count, None
    where there are none or the CVE was rejected. `catalogue_version` is the import that last changed the CVE.
    `starter` says that nobody but the package has told of it.
    """

    __tablename__ = "cve"
    __table_args__ = (Index("ix_cve_product_keys", "product_keys", postgresql_using="gin"),)

    cve_id: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    catalogue_version: Mapped[int]
    starter: Mapped[bool]
    status: Mapped[str] = mapped_column(Text)
    published: Mapped[datetime]
    modified: Mapped[datetime]
    score: Mapped[float | None]
    severity: Mapped[str | None] = mapped_column(Text)
    vector: Mapped[str | None] = mapped_column(Text)
    cvss_version: Mapped[str | None] = mapped_column(Text)
    product_keys: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    configured_by: Mapped[str | None] = mapped_column(Text(collation="C"))


class CvePart(Base):
    """What one source says of a CVE, whole: the newest that it gave (`parts.StoredPart` has the columns).

    `configurations` and `details` are in the form of `encoding`. `catalogue_version` is the import that wrote it.
    """

    __tablename__ = "cve_part"

    cve_id: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    source: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    feed: Mapped[str] = mapped_column(Text(collation="C"))
    catalogue_version: Mapped[int]
    status: Mapped[str] = mapped_column(Text)
    published: Mapped[datetime]
    modified: Mapped[datetime]
    metric_rank: Mapped[int | None] = mapped_column(SmallInteger)
    score: Mapped[float | None]
    severity: Mapped[str | None] = mapped_column(Text)
    vector: Mapped[str | None] = mapped_column(Text)
    cvss_version: Mapped[str | None] = mapped_column(Text)
    product_keys: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    configurations: Mapped[bytes | None] = mapped_column(LargeBinary)
    details: Mapped[bytes] = mapped_column(LargeBinary)


class FeedImport(Base):
    """One file of one import; the files of a call share a `catalogue_version`, which grows with each call.

    `digest` is the file's BLAKE2b, `newest_modified` the newest record's date: how old the data is. `held` stands in
    the newest row of each source: how many of its records the catalogue holds, however often they were imported.
    """

    __tablename__ = "feed_import"

    id: Mapped[int] = mapped_column(primary_key=True)
    catalogue_version: Mapped[int] = mapped_column(index=True)
    source: Mapped[str] = mapped_column(Text)
    file_name: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(Text)
    records: Mapped[int]
    skipped: Mapped[int]
    held: Mapped[int | None]
    newest_modified: Mapped[datetime | None]
    imported_at: Mapped[datetime] = mapped_column(server_default=func.now())


# The other tables of the catalogue: whoever knows these models (the migrations, the tests) knows all of them.
from netvigil.catalogue import models_distributions, models_enrichment  # noqa: E402, F401 - they stand on their own
