"""The PDF read back: what is in it, how it is built, and what it costs."""

import asyncio
import io
import json

import orjson
import pypdf
import pytest
from pdf_samples import make_finding, make_host, make_report, make_site

from netvigil.reports.pdf.render import MIB, RenderFault, RenderLimits, render

HOSTILE = [
    '#eval("1")',
    "*bold*",
    "$x$",
    "<label>",
    "_em_",
    "@cite",
    "#panic()",
    "\\u{41}",
    "grün",
    "Сервер",
    "]#x[",
]


async def read(report):
    """The PDF of a report: its reader, and its text without the places where lines may break."""
    reader = pypdf.PdfReader(io.BytesIO(await render(orjson.dumps(report))))
    return reader, flat("".join(page.extract_text() for page in reader.pages))


def flat(text):
    return "".join(text.replace("\u200b", "").split())


async def test_every_finding_and_host_is_in_it():
    report = make_report(sites=3, hosts=60, findings=1500, cves=700)
    _, text = await read(report)
    cves = {one["cve_id"] for one in report["findings"]}
    assert len(cves) > 430  # the full ones, the table and the list
    assert [cve for cve in cves if cve not in text] == []
    assert [host["hostname"] for host in report["hosts"] if flat(host["hostname"]) not in text] == []


async def test_it_is_tagged_titled_outlined_and_numbered():
    reader, text = await read(make_report())
    root = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert "/StructTreeRoot" in root
    assert root["/Lang"] == "en"
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert "pdfuaid" in root["/Metadata"].get_data().decode()
    assert reader.metadata.title == "Weekly scan of the main office, scan BCD-FGH-JKL"
    chapters = [one.title for one in reader.outline if not isinstance(one, list)]
    assert chapters == [
        "Findings by priority", "Networks", "Hosts and services", "Not scanned, and why", "About the data",
    ]  # fmt: skip
    assert "1of12deviceshas1vulnerabilitythatattackersareknowntouse" in text


@pytest.mark.parametrize(
    "shape", [{}, {"hosts": 1, "findings": 1}, {"sites": 30, "hosts": 90, "findings": 500, "cves": 90}]
)
async def test_each_page_says_its_number_and_whose_it_is(shape):
    reader, _ = await read(make_report(**shape))
    for index, page in enumerate(reader.pages):
        said = page.extract_text()
        assert f"Page {index + 1} of {len(reader.pages)}" in said
        assert "Scan BCD-FGH-JKL" in said


async def test_pictures_have_words_for_those_who_hear_the_page():
    reader, _ = await read(make_report())
    said = json.dumps(list(alternatives(reader.trailer["/Root"]["/StructTreeRoot"])))
    assert "Findings of this scan: " in said
    assert "Map of 10.0.0.1" in said
    assert "Addresses with findings: .1 critical" in said


def alternatives(node, seen=None):
    seen = set() if seen is None else seen
    node = node.get_object() if hasattr(node, "get_object") else node
    if isinstance(node, list):
        for one in node:
            yield from alternatives(one, seen)
    elif isinstance(node, dict) and id(node) not in seen:
        seen.add(id(node))
        if "/Alt" in node:
            yield str(node["/Alt"])
        yield from alternatives(node.get("/K", []), seen)


@pytest.mark.parametrize("evil", HOSTILE)
async def test_device_strings_print_as_themselves(evil):
    host = make_host(0, 1, "10.0.0", hostname=evil, model=evil, notes=[evil])
    host["services"][0].update(product=evil, version=None, banner=evil)
    finding = make_finding(host, 1, serial=1, description=evil, reason=evil)
    finding["evidence"].update(seen=evil, range=evil, reasons=[evil])
    report = make_report(hosts=0, warnings=[evil])
    report["hosts"], report["findings"] = [host], [finding]
    report["sites"] = [make_site(0, name=evil)]
    report["scan"] = {**report["scan"], "description": evil, "hosts_scanned": 1, "cve_count": 1}
    reader, text = await read(report)
    assert text.count(flat(evil)) >= 9
    assert reader.metadata.title.startswith(evil)
    links = {
        one["/A"]["/URI"] for page in reader.pages for one in annotations(page) if "/URI" in one.get("/A", {})
    }
    assert links == {"https://www.cve.org/CVERecord?id=CVE-2024-10001", "https://vendor.example/advisory/1"}


def annotations(page):
    return [one.get_object() for one in page.get("/Annots", [])]


async def test_huge_and_broken_strings_are_cut_and_shown():
    words = [
        "W" * 10_240,
        "\x00\x1b]0;x\x07",
        "\u202e\u2066",
        "中文主机",
        "😀" * 50,
        "خادم",
        "q" + "\u0301" * 400,
    ]
    hosts = [make_host(0, number, "10.0.0", hostname=word, os=word) for number, word in enumerate(words)]
    report = make_report(hosts=0)
    report["hosts"] = hosts
    report["findings"] = [make_finding(host, 0, serial=number) for number, host in enumerate(hosts)]
    _, text = await read(report)
    assert "(10,240characters)" in text
    assert "\\u{0}\\u{1b}]0;x\\u{7}" in text
    assert "\\u{202e}\\u{2066}" in text
    assert "\\u{4e2d}\\u{6587}\\u{4e3b}\\u{673a}" in text
    assert "\x00" not in text  # no glyph was missing


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({}, "Nodeviceansweredinthescannednetworks."),
        ({"sites": [make_site(0, state="failed", error="Its gateway is silent.")]}, "couldnotbescanned"),
        ({"previous": None, "trend": []}, "Nodeviceanswered"),
    ],
)
async def test_reports_without_anything_say_so(change, sentence):
    _, text = await read({**make_report(hosts=0), **change})
    assert sentence in text
    assert "Nodeviceanswered" in text


async def test_report_of_before_this_version_is_set_too():
    report = make_report()
    for name in ("previous", "trend", "severities", "not_scanned"):
        del report[name]
    for site in report["sites"]:
        for name in ("missing", "exclusions", "profile"):
            del site[name]
    del report["catalogue"]["feeds"]
    _, text = await read(report)
    assert "Everyfindinginfull" in text


async def test_old_data_are_warned_of():
    report = make_report()
    report["catalogue"]["age_days"] = 8
    _, text = await read(report)
    assert "Thevulnerabilitydatais8daysold." in text
    report["catalogue"]["age_days"] = 7
    _, text = await read(report)
    assert "Olddata" not in text


async def test_limits_end_it_with_a_reason():
    report = orjson.dumps(make_report(hosts=200, findings=2000))
    with pytest.raises(RenderFault, match=r"longer than 0 seconds"):
        await render(report, RenderLimits(seconds=0.01))
    with pytest.raises(RenderFault, match=r"memory|ended|could not be made"):
        await render(report, RenderLimits(address_space=60 * MIB))
    with pytest.raises(RenderFault, match="could not be made"):
        await render(b'{"sites": 7}')


async def test_loop_turns_while_it_is_made():
    turns = 0

    async def count():
        nonlocal turns
        while True:
            await asyncio.sleep(0.01)
            turns += 1

    counting = asyncio.create_task(count())
    await render(orjson.dumps(make_report(hosts=100, findings=1000)))
    counting.cancel()
    assert turns > 10
