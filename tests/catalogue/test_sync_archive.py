"""ZIP archives of feeds: what is wanted comes out under names of ours, and never more than is allowed."""

from __future__ import annotations

import json
import re
import zipfile
from threading import Event

import pytest

from netvigil.catalogue.feeds.base import DamagedFile
from netvigil.catalogue.feeds.files import read_chunks
from netvigil.catalogue.sync.archive import is_archive, unpack
from netvigil.errors import FeedError

JSON = re.compile(r".*\.json")


@pytest.fixture
def archive(tmp_path):
    def write(members, compression=zipfile.ZIP_DEFLATED):
        path = tmp_path / "a.zip"
        with zipfile.ZipFile(path, "w", compression) as opened:
            for name, text in members.items():
                opened.writestr(name, text)
        return path

    return write


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def test_documents_become_lines_and_others_stay_files(archive, folder):
    path = archive(
        {"a/1.json": '{\n "a": "1\\n"}', "b.xml": "<b/>", "c.txt": "no", "d/": "", "2.json": "[2]"}
    )
    assert is_archive(path)
    lines, file = unpack(path, folder, re.compile(r".*\.(json|xml)"), 1000)
    assert [json.loads(one) for one in b"".join(read_chunks(lines)).splitlines()] == [{"a": "1\n"}, [2]]
    assert file.read_bytes() == b"<b/>"
    assert sorted(one.name for one in folder.iterdir()) == ["file-0", "records.jsonl.zst"]


@pytest.mark.parametrize("name", ["x.json", "x.xml"])
def test_a_bomb_ends_at_the_limit(archive, folder, name):
    path = archive({name: '"' + "0" * (64 << 20) + '"'})
    assert path.stat().st_size < 1 << 20
    with pytest.raises(FeedError, match="more than a feed"):
        unpack(path, folder, re.compile(".*"), 1 << 20)
    assert sum(one.stat().st_size for one in folder.iterdir()) <= 1 << 20


def test_many_small_files_count_together(archive, folder):
    path = archive({f"{n}.json": json.dumps("0" * 100) for n in range(100)})
    with pytest.raises(FeedError, match="more than a feed"):
        unpack(path, folder, JSON, 5000)


def test_damage_anywhere_is_found(archive, folder):
    whole = archive({f"{n}.json": json.dumps({"n": n}) for n in range(50)}).read_bytes()
    path = folder.with_name("cut.zip")
    for length in range(10, len(whole), 501):
        path.write_bytes(whole[:length])
        with pytest.raises(DamagedFile):
            unpack(path, folder, JSON, 1 << 20)
    names = whole.index(b"PK\x01\x02")  # the list of names behind the data has no checksum of its own
    for place in range(40, names, 31):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            [made] = unpack(path, folder, JSON, 1 << 20)
        except FeedError:
            continue
        values = [json.loads(one)["n"] for one in b"".join(read_chunks(made)).splitlines()]
        assert values == list(range(50))  # it hit a field that nobody reads


def test_a_password_and_nothing_wanted_are_named(archive, folder):
    path = archive({"a.json": "{}"})
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(DamagedFile, match="password"):
        unpack(path, folder, JSON, 1000)
    with pytest.raises(FeedError, match="holds 0 files"):
        unpack(path, folder, re.compile("none"), 1000)


def test_it_can_be_stopped(archive, folder):
    stop = Event()
    stop.set()
    with pytest.raises(FeedError, match="stopped"):
        unpack(archive({"a.json": "{}"}), folder, JSON, 1000, stop)
