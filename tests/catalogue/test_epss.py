"""EPSS: the date from its comment, a number for each CVE, and each import replaces the one before."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from sqlalchemy import func, select

from netvigil.catalogue.enrichment import get_enrichment
from netvigil.catalogue.feeds.detect import recognise
from netvigil.catalogue.feeds.epss import Epss
from netvigil.catalogue.importer import import_paths
from netvigil.catalogue.models_enrichment import ExploitProbability
from netvigil.catalogue.queries import catalogue_state
from netvigil.errors import FeedError

SHARED = Path(__file__).parents[3] / "shared" / "data"

COMMENT = "#model_version:v2025.03.14,score_date:{}T12:55:00Z"
NAMES = "cve,epss,percentile"


def epss_of(*lines, date="2026-08-16", names=NAMES):
    return "\n".join([COMMENT.format(date), names, *lines, ""])


@pytest.fixture
def write(tmp_path):
    def write_file(text, name="epss.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write_file


async def scores(session):
    rows = await session.execute(select(ExploitProbability.cve_id, ExploitProbability.score))
    found = dict(rows.all())
    await session.rollback()
    return found


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(str.encode, id="plain"),
        pytest.param(lambda text: gzip.compress(text.encode()), id="gzip"),
        pytest.param(lambda text: text.replace("\n", "\r\n").encode(), id="dos"),
        pytest.param(lambda text: b"\xef\xbb\xbf" + text.encode(), id="mark"),
    ],
)
async def test_score_rank_and_date_come_in(url, session, write, form):
    path = write(form(epss_of("CVE-2018-14847,0.94367,0.99951", "CVE-2020-0001,0.00042,0")))
    assert recognise(path).name == "epss"
    [result] = await import_paths(url, [path])
    assert (result.source, result.records, result.skipped) == ("epss", 2, 0)
    epss = (await get_enrichment(session, ["CVE-2018-14847"]))["CVE-2018-14847"].epss
    assert (epss.score, epss.percentile, epss.date.isoformat()) == (0.94367, 0.99951, "2026-08-16")
    [state] = [one for one in (await catalogue_state(session)).sources if one.source == "epss"]
    assert state.records == 2
    assert state.data_date.isoformat() == "2026-08-16T12:55:00+00:00"


async def test_columns_are_found_by_name(url, session, write):
    await import_paths(url, [write(epss_of("0.5,new,CVE-2020-0001,0.25", names="percentile,later,cve,epss"))])
    epss = (await get_enrichment(session, ["CVE-2020-0001"]))["CVE-2020-0001"].epss
    assert (epss.score, epss.percentile) == (0.25, 0.5)


async def test_the_next_day_replaces_this_one_and_an_older_one_does_not(url, session, write):
    await import_paths(url, [write(epss_of("CVE-2020-0001,0.1,0.1", "CVE-2020-0002,0.2,0.2"))])
    await import_paths(
        url, [write(epss_of("CVE-2020-0002,0.5,0.5", "CVE-2020-0003,0.3,0.3", date="2026-08-17"))]
    )
    assert await scores(session) == {"CVE-2020-0002": 0.5, "CVE-2020-0003": 0.3}
    await import_paths(url, [write(epss_of("CVE-2020-0001,0.1,0.1"))])
    assert await scores(session) == {"CVE-2020-0002": 0.5, "CVE-2020-0003": 0.3}


async def test_many_lines_lose_nothing_at_the_seams(url, session, write):
    lines = [f"CVE-2020-{n:07},0.{n % 100000:05},0.5" for n in range(120_000)]
    path = write(epss_of(*lines))
    assert path.stat().st_size > 3 << 20
    [result] = await import_paths(url, [path])
    assert (result.records, result.skipped) == (120_000, 0)
    assert await session.scalar(select(func.count()).select_from(ExploitProbability)) == 120_000


@pytest.mark.parametrize(
    "line",
    [
        "CVE-1,0.1,0.1",
        "CVE-2020-0009,1.1,0.1",
        "CVE-2020-0009,nan,0.1",
        "CVE-2020-0009,-0.1,0.1",
        "CVE-2020-0009,0.1",
        "x",
        "CVE-2020-0009,\xff,0",
    ],
)
async def test_an_odd_line_is_counted(url, session, write, line):
    [result] = await import_paths(url, [write(epss_of("CVE-2020-0001,0.1,0.1", line))])
    assert (result.records, result.skipped) == (1, 1)
    assert await scores(session) == {"CVE-2020-0001": 0.1}


@pytest.mark.parametrize(
    "damaged",
    [
        epss_of("CVE-2020-0001,0.1,0.12345")[:-4],
        epss_of(),
        COMMENT.format("2026-08-16") + "\n",
        COMMENT.format("2026-99-16") + "\ncve,epss,percentile\nCVE-2020-0001,0.1,0.1\n",
        epss_of("CVE-2020-0001,0.1", names="cve,epss"),
        epss_of("x,y,z"),
        gzip.compress(epss_of(*[f"CVE-2020-{n:04},0.{n},0.1" for n in range(500)]).encode(), mtime=0)[:-20],
    ],
    ids=["mid-line", "no-lines", "no-names", "no-date", "no-column", "only-odd", "cut-gzip"],
)
async def test_a_damaged_file_leaves_the_old_scores_in_force(url, session, write, damaged):
    await import_paths(url, [write(epss_of("CVE-2020-0001,0.1,0.1"))])
    with pytest.raises(FeedError, match="epss"):
        await import_paths(url, [write(damaged)])
    assert await scores(session) == {"CVE-2020-0001": 0.1}


@pytest.mark.parametrize("head", [b"", b"cve,epss,percentile\n", b"#model_version:1\n", b"#" * 100_000])
def test_other_beginnings_are_not_recognised(head):
    assert not Epss().recognises(head)


@pytest.mark.shared
async def test_the_whole_file_comes_in(url, session):
    [result] = await import_paths(url, [SHARED / "epss"])
    assert (result.source, result.records, result.skipped) == ("epss", 360_142, 0)
    assert await session.scalar(select(func.count()).select_from(ExploitProbability)) == 360_142
    epss = (await get_enrichment(session, ["CVE-1999-1593"]))["CVE-1999-1593"].epss
    assert (epss.score, epss.percentile) == (0.18126, 0.96946)
