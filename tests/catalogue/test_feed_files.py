"""Files are known by their content, read in pieces, and refused when damaged or hostile."""

from __future__ import annotations

import gzip
import io
import json
import random

import pytest
import zstandard

from netvigil.catalogue.feeds.base import BLOCK_SIZE, RECORD_LIMIT
from netvigil.catalogue.feeds.detect import UnknownFeed, read_records, recognise
from netvigil.catalogue.feeds.files import read_chunks
from netvigil.errors import FeedError

PAGE = {"resultsPerPage": 1, "startIndex": 0, "format": "NVD_CVE", "version": "2.0"}


def page(cves, **extra):
    return {**PAGE, "vulnerabilities": [{"cve": cve} for cve in cves], **extra}


def names(path):
    return [record.cve_id for record in read_records(path)]


@pytest.fixture
def write(tmp_path):
    def write_file(content, name="file.bin"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_file


def zstd_of_unknown_length(content):
    out = io.BytesIO()
    with zstandard.ZstdCompressor().stream_writer(out, closefd=False) as stream:
        stream.write(content)
    return out.getvalue()


COMPRESSIONS = [bytes, gzip.compress, zstandard.compress, zstd_of_unknown_length]


@pytest.mark.parametrize("compress", COMPRESSIONS)
@pytest.mark.parametrize(
    "text",
    [
        pytest.param(lambda cves: json.dumps(page(cves)), id="page"),
        pytest.param(lambda cves: json.dumps(page(cves), indent=2), id="page-indented"),
        pytest.param(lambda cves: json.dumps(page(cves, later={"new": 1})), id="page-with-more-behind"),
        pytest.param(lambda cves: "\n".join(map(json.dumps, cves)), id="lines"),
        pytest.param(lambda cves: "\r\n".join(map(json.dumps, cves)) + "\r\n\r\n", id="lines-dos"),
        pytest.param(lambda cves: "\n".join(json.dumps({"cve": cve}) for cve in cves), id="lines-wrapped"),
        pytest.param(lambda cves: "\ufeff" + "\n".join(map(json.dumps, cves)), id="lines-with-mark"),
        pytest.param(
            lambda cves: "\n".join(json.dumps(cve, sort_keys=True) for cve in cves), id="lines-sorted"
        ),
    ],
)
def test_every_form_in_every_compression(make_cve, write, text, compress):
    cves = [make_cve(f"CVE-2020-{number:04}") for number in range(1, 4)]
    path = write(compress(text(cves).encode()))
    assert recognise(path).name == "nvd"
    assert names(path) == ["CVE-2020-0001", "CVE-2020-0002", "CVE-2020-0003"]


@pytest.mark.parametrize("indent", [None, 2])
def test_a_single_record(make_cve, write, indent):
    assert names(write(json.dumps(make_cve("CVE-2020-0001"), indent=indent))) == ["CVE-2020-0001"]
    assert names(write(json.dumps({"cve": make_cve("CVE-2020-0001")}, indent=indent))) == ["CVE-2020-0001"]


def test_an_empty_page_is_a_feed_without_records(write):
    path = write(json.dumps(page([])))
    assert recognise(path).name == "nvd"
    assert names(path) == []


@pytest.mark.parametrize("form", ["page", "page-indented", "lines"])
def test_what_is_larger_than_a_block_loses_nothing_at_the_seams(make_cve, write, form):
    words = random.Random(5)
    text = '"}, {"cve": {"id": "CVE-1999-0001" \\ ' * 40
    cves = [
        make_cve(f"CVE-2021-{n:05}", descriptions=[{"lang": "en", "value": text[: words.randint(0, 1500)]}])
        for n in range(3000)
    ]
    indent = 1 if form == "page-indented" else None
    content = "\n".join(map(json.dumps, cves)) if form == "lines" else json.dumps(page(cves), indent=indent)
    path = write(content)
    assert path.stat().st_size > 2 * BLOCK_SIZE
    assert len(list(recognise(path).blocks(read_chunks(path)))) > 2
    assert names(path) == [cve["id"] for cve in cves]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "hello",
        "cve,epss,percentile\nCVE-2020-0001,0.1,0.2\n",
        "{}",
        "[1, 2]",
        json.dumps({"title": "KEV", "vulnerabilities": [{"cveID": "CVE-2020-0001"}]}),
        json.dumps({"title": "KEV", "vulnerabilities": []}),
        json.dumps({"id": "CVE-2020-0001", "modified": "2020-01-01T00:00:00Z", "affected": []}),
        '{"a":' * 100_000,
        "[" * 100_000,
    ],
)
def test_other_files_are_named_unknown_with_what_is_known(write, content):
    with pytest.raises(UnknownFeed, match=r"NVD 2\.0"):
        recognise(write(content))


def test_a_cut_off_file_is_an_error_wherever_it_was_cut(make_cve, write):
    cves = [make_cve(f"CVE-2020-{number:04}") for number in range(1, 6)]
    whole = json.dumps(page(cves), indent=1)
    start = whole.index('"id"')
    for length in range(start, len(whole) - 1, 97):
        with pytest.raises(FeedError):
            names(write(whole[:length]))


@pytest.mark.parametrize("compress", COMPRESSIONS[1:])
def test_a_cut_off_compression_is_an_error_even_between_lines(make_cve, write, compress):
    line = json.dumps(make_cve("CVE-2020-0001")).encode() + b"\n"
    whole = compress(line * 2000)
    for length in (len(whole) // 2, len(whole) - 4, len(whole) - 1):
        with pytest.raises(FeedError, match="cannot be read to its end"):
            list(read_chunks(write(whole[:length])))


def test_two_frames_are_one_file(make_cve, write):
    lines = [json.dumps(make_cve(f"CVE-2020-000{n}")).encode() + b"\n" for n in (1, 2)]
    for compress in (gzip.compress, zstandard.compress):
        assert names(write(b"".join(map(compress, lines)))) == ["CVE-2020-0001", "CVE-2020-0002"]


def test_a_missing_comma_inside_a_page_is_found(make_cve, write):
    text = json.dumps(page([make_cve(f"CVE-2020-000{n}") for n in (1, 2, 3)]))
    with pytest.raises(FeedError):
        names(write(text.replace('}, {"cve"', '} {"cve"', 1)))


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
def test_a_bomb_ends_at_the_limit(write, compress):
    path = write(compress(b"\n" * (64 << 20)))
    sizes = []
    with pytest.raises(FeedError, match="more than 10000000 bytes"):
        sizes.extend(len(chunk) for chunk in read_chunks(path, limit=10_000_000))
    assert sum(sizes) <= 10_000_000


def test_one_endless_record_ends_at_the_limit(make_cve, write):
    endless = json.dumps(make_cve(), indent=0)[:-2] + ',"x":"' + "a" * (RECORD_LIMIT + BLOCK_SIZE)
    with pytest.raises(FeedError, match="a record of more than"):
        names(write(gzip.compress(endless.encode(), 1)))


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FeedError, match="cannot be read"):
        recognise(tmp_path / "none.json")
