"""Strings of anybody, made harmless: by examples and by properties."""

import csv
import io
import json
from urllib.parse import urlsplit

import orjson
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given, settings
from hypothesis import strategies as st
from report_samples import EVIL, LONE

from netvigil.reports.exports.base import Content, Options
from netvigil.reports.exports.table import FORMATS
from netvigil.reports.exports.texts import cell, one_line, safe_url, visible

SAID = st.one_of(st.text(st.characters(codec=None), max_size=80), st.sampled_from([*EVIL, LONE]))
LEADS = st.sampled_from(["", " ", '"', "'", "\t", "\r\n", '" ', "a;", 'a,"', "a|\n", "\u200b", "\ufeff"])
FORMULA = st.sampled_from("=+-@\uff1d")


@given(LEADS, FORMULA, SAID)
def test_no_cell_and_no_part_of_one_is_a_formula(lead, sign, rest):
    text = cell(lead + sign + rest)
    assert isinstance(text, str)
    for separator in ",;\t|":
        for part in text.split(separator):
            assert (
                part.lstrip(" \"'")[:1] not in {*"=+-@"}
                or "'" in part[: len(part) - len(part.lstrip(" \"'"))]
            )
    assert not any(character in text for character in "\r\n\t\0")


@given(st.lists(st.lists(SAID, min_size=3, max_size=3), max_size=5))
def test_cells_come_back_from_csv_as_they_were_written(rows):
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows([[cell(value) for value in row] for row in rows])
    back = list(csv.reader(io.StringIO(out.getvalue().encode().decode(), newline=""), strict=True))
    assert back == [[cell(value) for value in row] for row in rows]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (9.8, 9.8), (22, 22), (-1, -1), (None, ""), (True, "true"), ("", ""), ("plain", "plain"),
        ("=1+1", "'=1+1"), ("  @x", "'  @x"), ('"=1', "'\"'=1"), ("a;=1", "a;'=1"), ("1\r\n2\t3", "1 2 3"),
        ("-2", "'-2"), ("OpenSSH 9.2p1 (protocol 2.0)", "OpenSSH 9.2p1 (protocol 2.0)"), ("2026-01-31", "2026-01-31"),
        ("CVSS:3.1/AV:N/AC:L", "CVSS:3.1/AV:N/AC:L"), ("\x00\x1b", r"\x00\x1b"), ("a\u202eb", r"a\u202eb"),
        ("Kör\u00fcklü \u65e5\u672c", "Kör\u00fcklü \u65e5\u672c"),
    ],
)  # fmt: skip
def test_what_a_cell_becomes(value, written):
    assert cell(value) == written
    assert type(cell(value)) is type(written)


@given(SAID, st.integers(20, 100))
def test_text_is_bounded_encodable_and_hides_nothing(text, limit):
    shown = visible(text, limit)
    assert len(shown) <= limit
    shown.encode()
    assert orjson.loads(orjson.dumps(shown)) == shown
    assert "\n" not in one_line(text)


@given(st.one_of(SAID, SAID.map(lambda text: f"https://example.test/{text}")))
def test_links_are_of_the_web_and_plain(text):
    link = safe_url(text)
    if link is not None:
        assert urlsplit(link).scheme in {"http", "https"}
        assert link.isascii()
        assert not any(character in link for character in " <>\"'\\^`{|}\n\t") or "'" in link


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "ftp://x/", "//x", "http://", "http://[x", "", None, 5, "x" * 3000]
)
def test_other_links_are_none(link):
    assert safe_url(link) is None


def report_of(text):
    """A report with `text` wherever a device, a feed or a person may have put one."""
    site = "9c3c1392-7f36-4240-85f2-273573c0384a"
    host = {"id": "4023ecd2-02ff-4ef8-9aec-1070993ee63f", "hostname": text, "mac_address": None, "manufacturer": text,
            "ip_address": "192.168.88.1", "site_id": site}  # fmt: skip
    service = {"port": 21, "protocol": "tcp", "name": text, "product": text, "version": text, "cpe": text}
    finding = {
        "id": site, "cve_id": "CVE-2099-0001", "description": text, "published_at": None, "vector": text, "score": 9.8,
        "severity": "CRITICAL", "references": [{"url": text, "name": text}], "cve_detail": {"cvss_version": None},
        "host": host, "service": service, "confidence": "exact", "epss": None, "kev": None, "cwe": [text],
        "evidence": {"seen": text, "product": text, "range": text, "services": []}, "fixed_in": text,
    }  # fmt: skip
    seen = {**service, "extra_info": text, "tunnel": text, "cpes": [text], "banner": text, "seen_by": "nmap",
            "spared": False, "facts": {text: text}}  # fmt: skip
    return {
        "generated_at": "2026-01-01T00:00:00Z",
        "scan": {"id": site, "scan_id": "ABC-DEF-GHI", "scan_schedule_id": None, "description": text,
                 "started_at": "2026-01-01T00:00:00Z", "stopped": False},
        "catalogue": {"version": "1", "data_date": None}, "warnings": [text],
        "sites": [{"id": site, "name": text, "error": None}],
        "hosts": [{**host, "os": text, "model": text, "observed_at": "2026-01-01T00:00:00Z", "alive_because": text,
                   "services": [seen]}],
        "findings": [finding],
        "not_affected": [{"cve_id": "CVE-2099-0002", "ip_address": "192.168.88.1", "port": 21, "cpe": text, "seen": text,
                          "because": text, "fixed_in": text, "advisory": text}],
    }  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(SAID)
def test_whatever_anybody_says_each_form_can_be_made_and_read(text):
    content = Content(report_of(text))
    table = b"".join(FORMATS["csv"].render(content, Options())).decode()
    assert len(list(csv.reader(io.StringIO(table, newline=""), strict=True))) == 2
    [run] = json.loads(b"".join(FORMATS["sarif"].render(content, Options())))["runs"]
    assert len(run["results"]) == 1
    bom = b"".join(FORMATS["cyclonedx"].render(content, Options())).decode()
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(bom)
    assert error is None, str(error)[:1000]
