"""Names of weaknesses from MITRE's XML and CSV, and nothing else from a hostile file."""

from __future__ import annotations

from pathlib import Path

import pytest

from netvigil.catalogue.enrichment import get_cwe_names
from netvigil.catalogue.feeds.cwe import Cwe
from netvigil.catalogue.feeds.detect import recognise
from netvigil.catalogue.importer import import_paths
from netvigil.errors import FeedError

SHARED = Path(__file__).parents[3] / "shared" / "data"

PLAIN = "id,name,abstraction,status\n22,Path,Base,Stable\n79,Cross,Base,Stable\n"
VIEW = 'CWE-ID,Name,Weakness Abstraction,Status,Description\n22,"Path, ""quoted""",Base,Stable,"Two\nlines, 99,x"\n79,Cross,Base,Stable,,\n'
XML = """<?xml version="1.0" encoding="UTF-8"?>
<Weakness_Catalog Name="CWE" Version="{}" Date="2024-07-16" xmlns="http://cwe.mitre.org/cwe-7">
  <Weaknesses><Weakness ID="22" Name="Path &amp; co" Abstraction="Base"><Description>x</Description></Weakness></Weaknesses>
  <Categories><Category ID="264" Name="Permissions" Status="Obsolete"/></Categories>
</Weakness_Catalog>
"""


@pytest.fixture
def write(tmp_path):
    def write_file(text, name="cwe.bin"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write_file


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (PLAIN, {"CWE-22": "Path", "CWE-79": "Cross"}),
        (VIEW, {"CWE-22": 'Path, "quoted"', "CWE-79": "Cross"}),
        (XML.format("4.15"), {"CWE-22": "Path & co", "CWE-264": "Permissions"}),
    ],
    ids=["plain", "view", "xml"],
)
async def test_every_form_gives_its_names(url, session, write, text, names):
    path = write(text)
    assert recognise(path).name == "cwe"
    [result] = await import_paths(url, [path])
    assert (result.records, result.skipped) == (2, 0)
    asked = ["CWE-22", "CWE-79", "CWE-264", "CWE-99", "NVD-CWE-Other", "CWE-", "CWE-99999999999", "22"]
    assert await get_cwe_names(session, asked) == names
    assert await get_cwe_names(session, []) == {}


async def test_the_newer_version_names_it(url, session, write):
    await import_paths(url, [write(XML.format("4.15"))])
    await import_paths(url, [write(XML.format("4.9").replace("Path &amp; co", "Old"))])
    assert await get_cwe_names(session, ["CWE-22"]) == {"CWE-22": "Path & co"}
    await session.rollback()
    await import_paths(url, [write(XML.format("4.16").replace("Path &amp; co", "New"))])
    assert await get_cwe_names(session, ["CWE-22"]) == {"CWE-22": "New"}


async def test_an_odd_line_is_counted(url, session, write):
    [result] = await import_paths(url, [write(PLAIN + "x,No number,Base,Draft\n23\n24,,Base,Draft\n")])
    assert (result.records, result.skipped) == (2, 3)


BOMB = """<?xml version="1.0"?>
<!DOCTYPE Weakness_Catalog [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<Weakness_Catalog Version="4.15"><Weakness ID="1" Name="&b;"/></Weakness_Catalog>"""
INSIDE = """<Weakness_Catalog Version="4.15"><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>
<Weakness ID="1" Name="x"/></Weakness_Catalog>"""


@pytest.mark.parametrize(
    "damaged",
    [
        XML.format("4.15")[:-40],
        INSIDE,
        BOMB,
        PLAIN[:-3],
        'id,name,x\n22,"Path,Base\n',
        "id,name,x\n",
        "<Weakness_Catalog />",
    ],
    ids=["cut-xml", "inner-type", "bomb", "mid-line", "open-quote", "no-lines", "no-entries"],
)
async def test_a_damaged_or_hostile_file_leaves_the_old_names(url, session, write, damaged):
    await import_paths(url, [write(PLAIN)])
    with pytest.raises(FeedError):
        await import_paths(url, [write(damaged)])
    assert await get_cwe_names(session, ["CWE-22"]) == {"CWE-22": "Path"}


def test_a_document_type_is_refused_before_anything_is_expanded():
    # a bomb's comment would hide the root element from the check of the form, so the reader itself must refuse
    hidden = BOMB.replace("<?xml version", "<Weakness_Catalog ?><?xml version")
    assert not Cwe().recognises(BOMB.encode())
    with pytest.raises(FeedError):
        list(Cwe().blocks(iter([hidden.encode()])))


@pytest.mark.shared
async def test_the_whole_list_comes_in(url, session):
    [result] = await import_paths(url, [SHARED / "cwe"])
    assert (result.source, result.records, result.skipped) == ("cwe", 964, 0)
    assert await get_cwe_names(session, ["CWE-79"]) != {}
