"""OSV's forms: records of our own as distributions word them, alone, one a line, and as a zip; and damaged ones."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime

import pytest

from netvigil.catalogue.feeds.base import DamagedFile
from netvigil.catalogue.feeds.detect import recognise
from netvigil.catalogue.feeds.files import read_chunks
from netvigil.catalogue.feeds.osv import Osv
from netvigil.errors import FeedError

OSV = Osv()


def record(advisory="DSA-5724-1", *affected, **fields):
    return {
        "id": advisory,
        "modified": "2024-07-01T00:00:00Z",
        "upstream": ["CVE-2024-6387"],
        "affected": list(affected) or [openssh("12", "1:9.2p1-2+deb12u3")],
        **fields,
    }


def openssh(release, fixed=None, **fields):
    events = [{"introduced": "0"}, *([{"fixed": fixed}] if fixed else [])]
    return {
        "package": {"ecosystem": f"Debian:{release}", "name": "openssh"},
        "ranges": [{"type": "ECOSYSTEM", "events": events}],
        **fields,
    }


def read(value):
    """(ecosystem, release, package, CVE, introduced, fixed, last affected) of each row."""
    reading = OSV.read(json.dumps(value).encode(), "")
    head, *rows = reading.rows
    assert head[0] == value["id"]
    assert head[3:] == (None,) * 7
    return [row[3:] for row in rows]


def test_a_record_of_debian():
    value = record("DSA-5724-1", openssh("12", "1:9.2p1-2+deb12u3"), openssh("11"))
    assert read(value) == [
        ("Debian", "12", "openssh", "CVE-2024-6387", None, "1:9.2p1-2+deb12u3", None),
        ("Debian", "11", "openssh", "CVE-2024-6387", None, None, None),
    ]
    reading = OSV.read(json.dumps(value).encode(), "")
    assert reading.modified == datetime(2024, 7, 1, tzinfo=UTC)
    assert reading.rows[0][:3] == ("DSA-5724-1", datetime(2024, 7, 1, tzinfo=UTC), False)


@pytest.mark.parametrize(
    ("fields", "cves"),
    [
        ({"aliases": ["CVE-2024-1111"], "upstream": ["CVE-2024-2222"]}, ["CVE-2024-1111", "CVE-2024-2222"]),
        ({"id": "UBUNTU-CVE-2024-3333", "upstream": []}, ["CVE-2024-3333"]),
        ({"id": "CVE-2024-4444", "upstream": None}, ["CVE-2024-4444"]),
        ({"upstream": [], "related": ["CVE-2024-5555", "GHSA-x"]}, ["CVE-2024-5555"]),
        ({"related": ["CVE-2024-5555"]}, ["CVE-2024-6387"]),
        ({"upstream": ["GHSA-aaaa", "CVE-1"]}, []),
    ],
)
def test_which_cves_a_record_is_about(fields, cves):
    assert [row[3] for row in read(record(**{"advisory": "DSA-1-1", **fields}) | fields)] == cves


@pytest.mark.parametrize(
    ("ecosystem", "expected"),
    [
        ("Ubuntu:22.04:LTS", ("Ubuntu", "22.04")),
        ("Ubuntu:Pro:18.04:LTS", ("Ubuntu", "Pro:18.04")),
        ("Alpine:v3.18", ("Alpine", "v3.18")),
        ("Red Hat:enterprise_linux:9::baseos", ("Red Hat", "9")),
        ("AlmaLinux:9", ("AlmaLinux", "9")),
        ("Debian", ("Debian", "")),
    ],
)
def test_ecosystems_and_their_releases(ecosystem, expected):
    place = {**openssh("12"), "package": {"ecosystem": ecosystem, "name": "openssh"}}
    assert read(record("X-1", place))[0][:2] == expected


@pytest.mark.parametrize(
    ("events", "bounds"),
    [
        ([{"introduced": "1.2-1"}, {"fixed": "1.4-1"}], [("1.2-1", "1.4-1", None)]),
        ([{"introduced": "0"}, {"last_affected": "1.4-1"}], [(None, None, "1.4-1")]),
        (
            [{"fixed": "2.1-1"}, {"introduced": "2.0-1"}, {"fixed": "1.1-1"}, {"introduced": "0"}],
            [(None, "1.1-1", None), ("2.0-1", "2.1-1", None)],
        ),
        (
            [{"introduced": "0"}, {"fixed": "1.9-1"}, {"introduced": "1.10-1"}],
            [(None, "1.9-1", None), ("1.10-1", None, None)],
        ),
        ([{"fixed": "1.0"}], []),
        ([{"limit": "1.0"}], []),
    ],
)
def test_events_become_intervals_in_the_packages_order(events, bounds):
    place = {**openssh("12"), "ranges": [{"type": "ECOSYSTEM", "events": events}]}
    assert [row[4:] for row in read(record("X-1", place))] == bounds


def test_single_versions_and_foreign_ecosystems():
    listed = {
        "package": {"ecosystem": "Debian:12", "name": "nginx"},
        "versions": ["1.10-1", "1.9-1", "1.2-1"],
    }
    python = {"package": {"ecosystem": "PyPI", "name": "nginx"}, "versions": ["1.0"]}
    commits = {**openssh("12"), "ranges": [{"type": "GIT", "events": [{"introduced": "0"}]}]}
    assert [row[2:] for row in read(record("X-1", listed, python, commits))] == [
        ("nginx", "CVE-2024-6387", "1.2-1", None, "1.10-1")
    ]


def test_a_withdrawn_record_has_no_rows_but_its_own():
    value = record(withdrawn="2024-08-01T00:00:00Z")
    [head] = OSV.read(json.dumps(value).encode(), "").rows
    assert head[2] is True


@pytest.mark.parametrize(
    "change",
    [
        {"id": None},
        {"id": 5},
        {"modified": "yesterday"},
        {"modified": "2024-07-01T00:00:00"},
        {"affected": {}},
        {"affected": [None]},
        {"affected": [{"package": {"ecosystem": "Debian:12"}}]},
        {"affected": [{"package": {"ecosystem": "Debian:12", "name": "x" * 300}, "versions": ["1"]}]},
        {"affected": [{**openssh("12"), "ranges": {}}]},
        {"affected": [openssh("12", "no version!")]},
        {"affected": [openssh("12", 5)]},
        {"aliases": "CVE-2024-1"},
    ],
)
def test_records_of_another_form_are_refused_one_by_one(change):
    with pytest.raises(FeedError):
        OSV.read(json.dumps(record() | change).encode(), "")


def test_a_giant_record_is_refused():
    cves = [f"CVE-2024-{number:05}" for number in range(10_000)]
    with pytest.raises(FeedError, match="rows"):
        OSV.read(json.dumps(record("X-1", *[openssh("12")] * 20, aliases=cves)).encode(), "")


def records_in(path):
    feed = recognise(path)
    assert feed.name == "osv"
    found = []
    for block in feed.blocks(read_chunks(path)):
        found += [json.loads(raw)["id"] for raw in block.data.split(block.separator) if raw.strip()]
    return found


def test_one_record_lines_and_a_zip_are_read_alike(tmp_path):
    values = [record("DSA-1-1"), record("DSA-2-1"), record("DSA-3-1")]
    single, lines, packed = tmp_path / "one.json", tmp_path / "lines", tmp_path / "all.zip"
    single.write_text(json.dumps(values[0], indent=2))
    lines.write_text("\n".join(map(json.dumps, values)))
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for value in values:
            archive.writestr(f"{value['id']}.json", json.dumps(value, indent=1))
        archive.writestr("README.txt", "not a record")
    assert records_in(single) == ["DSA-1-1"]
    assert records_in(lines) == records_in(packed) == ["DSA-1-1", "DSA-2-1", "DSA-3-1"]


def test_a_zip_of_something_else_is_not_taken(tmp_path):
    path = tmp_path / "cves.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("CVE-2024-1.json", json.dumps({"dataType": "CVE_RECORD", "containers": {}}))
    assert not OSV.recognises(path.read_bytes())
    assert not OSV.recognises(b"PK\x03\x04")
    assert not OSV.recognises(b'{"id": "CVE-2024-1", "published": "x"}')


def test_a_zip_that_was_cut_off_is_refused(tmp_path):
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(50):
            archive.writestr(f"{number}.json", json.dumps(record(f"DSA-{number}-1")))
    data = path.read_bytes()
    for cut in (data[: len(data) // 2], data[:100] + data[200:]):
        with pytest.raises(DamagedFile, match="zip"):
            list(OSV.blocks(iter([cut])))


def test_a_member_that_unpacks_without_end_is_refused(tmp_path):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1.json", b" " * (17 << 20))
    with pytest.raises(FeedError, match="record of more than"):
        list(OSV.blocks(iter([path.read_bytes()])))
