"""Tables of what is known about CVEs beside their records (KEV, EPSS, CWE), and of where each feed stands."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, Text
from sqlalchemy.orm import Mapped, mapped_column

from netvigil.db.base import Base


class KnownExploitedCve(Base):
    """A CVE of CISA's list of known exploited ones; `released` is the list's own date, the same in all rows."""

    __tablename__ = "known_exploited_cve"

    cve_id: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    released: Mapped[datetime]
    date_added: Mapped[date]
    due_date: Mapped[date | None]
    ransomware: Mapped[bool]
    name: Mapped[str | None] = mapped_column(Text)
    required_action: Mapped[str | None] = mapped_column(Text)


class ExploitProbability(Base):
    """A CVE's EPSS: the probability that it is exploited within 30 days, and its rank among all, both 0 to 1."""

    __tablename__ = "exploit_probability"

    cve_id: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    scored_at: Mapped[datetime]
    score: Mapped[float]
    percentile: Mapped[float]


class Weakness(Base):
    """The name of a CWE number; `version` orders the lists of MITRE, 4.15 as 4015, 0 where the list has none."""

    __tablename__ = "weakness"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[int]
    name: Mapped[str] = mapped_column(Text)


class FeedSource(Base):
    """Where the sync of one source stands. What is in the catalogue is the import log's to say.

    `url` is fit to be shown; `url_digest` tells whether the validators belong to the URL of today. `cursor`
    is for NVD and the CVE List: everything modified before it is in the catalogue. `records` is what the last answer held.
    """

    __tablename__ = "feed_source"

    source: Mapped[str] = mapped_column(Text, primary_key=True)
    url: Mapped[str] = mapped_column(Text)
    url_digest: Mapped[str] = mapped_column(Text)
    etag: Mapped[str | None] = mapped_column(Text)
    last_modified: Mapped[str | None] = mapped_column(Text)
    cursor: Mapped[datetime | None]
    records: Mapped[int | None]
    last_attempt_at: Mapped[datetime | None]
    last_success_at: Mapped[datetime | None]
    last_change_at: Mapped[datetime | None]
    last_error: Mapped[str | None] = mapped_column(Text)


class FeedPlan(Base):
    """The one row that says when feeds are fetched next, and which jobs carry that.

    `tick_job_id` is the future job that starts the scheduled sync, `sync_job_id` the last one asked for.
    """

    __tablename__ = "feed_plan"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    next_sync_at: Mapped[datetime | None]
    tick_job_id: Mapped[int | None] = mapped_column(BigInteger)
    sync_job_id: Mapped[int | None] = mapped_column(BigInteger)
