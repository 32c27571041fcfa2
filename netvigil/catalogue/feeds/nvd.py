"""NVD in its 2.0 form: API answers, feed files, and single records, one a line or one a file.

The form is NVD's JSON schema `cve_api_json_2.0`. Fields that we do not know are ignored, because NVD adds
some every year; a known field of the wrong type makes the record unreadable.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

import orjson

from netvigil.catalogue.encoding import ConfigurationEncoder, StoredCve, decode_record, pack
from netvigil.catalogue.feeds.base import BLOCK_SIZE, HEAD_SIZE, RECORD_LIMIT, RECORD_SEPARATOR, Block
from netvigil.catalogue.records import CVE_ID, CVSS_VERSIONS, REJECTED, CveRecord, preference, severity_of
from netvigil.errors import FeedError

if TYPE_CHECKING:
    from collections.abc import Iterator

_BOM = b"\xef\xbb\xbf"
# Both can only match outside of strings: a quote inside of one is always escaped
_PAGE = re.compile(rb'"vulnerabilities"\s*:\s*\[\s*(?:\{\s*"cve"\s*:|(\]))')
_ELEMENT = re.compile(rb'\{\s*"cve"\s*:\s*\{')
_RECORD = re.compile(rb'\s*\{\s*(?:"cve"\s*:\s*\{\s*)?"id"\s*:\s*"CVE-')
_METRIC_KEYS = ("cvssMetricV40", "cvssMetricV31", "cvssMetricV30", "cvssMetricV2")
_OPERATORS = ("OR", "AND")
_UNBOUND_LENGTH = 3
_HIGHEST_SCORE = 10


class Nvd:
    """The National Vulnerability Database, 2.0 form."""

    name = "nvd"
    label = "NVD 2.0 (API answers, feed files, or `cve` objects, one a line)"

    def recognises(self, head: bytes) -> bool:
        """True for a page of `vulnerabilities` with `cve` objects, or for such an object alone or in line one."""
        head = head.removeprefix(_BOM)
        if not head.lstrip().startswith(b"{"):
            return False
        if page := _PAGE.search(head):
            return (
                page[1] is None or b'"NVD_CVE"' in head
            )  # CISA's list has the same key; empty, it looks alike
        for text in (head.lstrip().split(b"\n", 1)[0], head):
            try:
                return _looks_like_cve(orjson.loads(text))
            except orjson.JSONDecodeError:
                continue
        # a record above the head's size, or one over many lines
        return _RECORD.match(head) is not None and b'"sourceIdentifier"' in head

    def blocks(self, chunks: Iterator[bytes]) -> Iterator[Block]:
        """Pages are cut between their elements, lines at line feeds, anything else is one record."""
        head = _head(chunks)
        everything = chain([head], chunks)
        if _PAGE.search(head):
            return _page_blocks(everything)
        first, line_feed, _ = head.lstrip().partition(b"\n")
        if not line_feed or _is_json(first):
            return _line_blocks(everything)
        return iter([_single_block(everything)])

    def read(self, value: object) -> StoredCve:
        """A `cve` object, bare or as `{"cve": …}`; FeedError where it has another shape."""
        return read_cve(value)


def parse_cve(value: object) -> CveRecord:
    """The typed record of a `cve` object; FeedError where it has another shape."""
    return decode_record(read_cve(value))


# --------------------------------------------------------------------- files
def _head(chunks: Iterator[bytes]) -> bytes:
    head = bytearray()
    for chunk in chunks:
        head += chunk
        if len(head) >= HEAD_SIZE:
            break
    return bytes(head).removeprefix(_BOM)


def _looks_like_cve(value: object) -> bool:
    cve = value.get("cve", value) if isinstance(value, dict) else None
    return (
        isinstance(cve, dict)
        and isinstance(cve.get("id"), str)
        and CVE_ID.fullmatch(cve["id"]) is not None
        and "descriptions" in cve
        and "lastModified" in cve
    )


def _is_json(text: bytes) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def _line_blocks(chunks: Iterator[bytes]) -> Iterator[Block]:
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        if len(buffer) < BLOCK_SIZE:
            continue
        end = buffer.rfind(b"\n") + 1
        if end:
            yield Block(bytes(buffer[:end]), b"\n")
            del buffer[:end]
        _refuse_above_limit(buffer)
    yield Block(bytes(buffer), b"\n")


def _single_block(chunks: Iterator[bytes]) -> Block:
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        _refuse_above_limit(buffer)
    return Block(bytes(buffer))


def _page_blocks(chunks: Iterator[bytes]) -> Iterator[Block]:
    """Elements but the last are cut out; the last, in its envelope, must be a whole document again.

    So a page of any size is read in pieces, and one that was cut off anywhere is found out.
    """
    envelope = b""
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        if len(buffer) < BLOCK_SIZE:
            continue
        starts = [element.start() for element in _ELEMENT.finditer(buffer)]
        if starts:
            envelope = envelope or bytes(buffer[: starts[0]])
            yield _elements(buffer, starts)
            del buffer[: starts[-1]]
        _refuse_above_limit(buffer)
    starts = [element.start() for element in _ELEMENT.finditer(buffer)]
    if starts:
        envelope = envelope or bytes(buffer[: starts[0]])
        yield _elements(buffer, starts)
        del buffer[: starts[-1]]
    yield _last_element(envelope + bytes(buffer))


def _elements(buffer: bytearray, starts: list[int]) -> Block:
    """All elements but the last; each ends before the comma that parts it from the next."""
    elements = []
    for start, end in pairwise(starts):
        element = bytes(buffer[start:end]).rstrip()
        if not element.endswith(b","):
            raise FeedError("The file is damaged: between two of its records stands no comma.")
        elements.append(element[:-1])
    return Block(RECORD_SEPARATOR.join(elements))


def _last_element(document: bytes) -> Block:
    try:
        page = orjson.loads(document)
    except orjson.JSONDecodeError as error:
        raise FeedError(f"The file is damaged or cut off: its end is no JSON ({error}).") from error
    rest = page.get("vulnerabilities") if isinstance(page, dict) else None
    if not isinstance(rest, list) or len(rest) > 1:
        raise FeedError("The file is damaged: its list of vulnerabilities does not hold together.")
    return Block(RECORD_SEPARATOR.join(orjson.dumps(element) for element in rest))


def _refuse_above_limit(buffer: bytearray) -> None:
    if len(buffer) > RECORD_LIMIT:
        raise FeedError(f"The file has a record of more than {RECORD_LIMIT} bytes.")


# --------------------------------------------------------------------- records
def read_cve(value: object) -> StoredCve:
    """A `cve` object, bare or as `{"cve": …}`, in the form that is stored; FeedError for another shape."""
    cve = value.get("cve", value) if isinstance(value, dict) else None
    if not isinstance(cve, dict):
        raise FeedError("A record is no JSON object.")
    cve_id = cve.get("id")
    if not isinstance(cve_id, str) or CVE_ID.fullmatch(cve_id) is None:
        raise FeedError("A record has no CVE identifier.")
    try:
        return _stored(cve_id, cve)
    except KeyError as error:
        raise FeedError(f"{cve_id} has no {error.args[0]!r}.") from error
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise FeedError(f"{cve_id} has not the form of NVD 2.0: {error}.") from error


def _stored(cve_id: str, cve: dict[str, Any]) -> StoredCve:
    status = _column(cve["vulnStatus"])
    metrics = _metrics(cve.get("metrics", {}))
    best = metrics[0] if metrics else (None, None, None, None)
    configurations, keys = _configurations([] if status == REJECTED else cve.get("configurations", []))
    details = [
        _english(cve["descriptions"]),
        _text(cve.get("sourceIdentifier", "")),
        metrics,
        _cwes(cve.get("weaknesses", [])),
        _references(cve.get("references", [])),
        _known_exploited(cve),
    ]
    return StoredCve(
        cve_id=cve_id,
        status=status,
        published=_time(cve["published"]),
        modified=_time(cve["lastModified"]),
        score=best[2],
        severity=best[3],
        vector=best[1],
        cvss_version=best[0],
        product_keys=keys,
        configurations=configurations,
        details=pack(details),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a text is expected where {type(value).__name__} stands")
    return value


def _column(value: object) -> str:
    """A text that is not packed (`pack` looks itself): PostgreSQL cannot hold a NUL."""
    text = _text(value)
    if "\0" in text:
        raise ValueError("a text holds a NUL character")
    return text


def _optional(value: object) -> str | None:
    return None if value is None else _text(value)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"a number is expected where {type(value).__name__} stands")
    return float(value)


def _time(value: object) -> datetime:
    """NVD's times carry no zone and are UTC."""
    time = datetime.fromisoformat(_text(value))
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _english(descriptions: list[dict[str, Any]]) -> str:
    texts = {_text(one["lang"]): _text(one["value"]) for one in reversed(descriptions)}
    return texts.get("en") or next((text for lang, text in texts.items() if lang.startswith("en")), "")


def _metrics(groups: dict[str, list[dict[str, Any]]]) -> list[list[Any]]:
    """All scores, the one that counts first, each with its values in the order of `records.Metric`."""
    metrics = [_metric(metric) for key in _METRIC_KEYS for metric in groups.get(key, ())]
    return sorted(metrics, key=lambda metric: preference(metric[0], metric[2], primary=metric[7]))


def _metric(metric: dict[str, Any]) -> list[Any]:
    data = metric["cvssData"]
    version = _text(data["version"])
    if version not in CVSS_VERSIONS:
        raise ValueError(f"there is no CVSS version {version[:20]!r}")
    score = _number(data["baseScore"])
    if not 0 <= score <= _HIGHEST_SCORE:
        raise ValueError("a base score is not from 0 to 10")
    severity = data.get("baseSeverity", metric.get("baseSeverity"))
    exploitability, impact = metric.get("exploitabilityScore"), metric.get("impactScore")
    return [
        version,
        _text(data["vectorString"]),
        score,
        _text(severity).upper() if severity else severity_of(score, version),
        None if exploitability is None else _number(exploitability),
        None if impact is None else _number(impact),
        _text(metric.get("source", "")),
        metric.get("type") == "Primary",
    ]


def _cwes(weaknesses: list[dict[str, Any]]) -> list[str]:
    """CWE numbers once each; NVD's `NVD-CWE-noinfo` and `-Other` name no weakness."""
    names = (_text(one["value"]) for weakness in weaknesses for one in weakness["description"])
    return list(dict.fromkeys(name for name in names if name.startswith("CWE-")))


def _references(references: list[dict[str, Any]]) -> list[list[Any]]:
    """Each link once, because NVD lists most of them for two sources, with the tags of all."""
    tags: dict[str, list[str]] = {}
    for reference in references:
        known = tags.setdefault(_text(reference["url"]), [])
        for tag in reference.get("tags", ()):
            if tag not in known:
                known.append(_text(tag))
    return [[url, of_link] for url, of_link in tags.items()]


def _known_exploited(cve: dict[str, Any]) -> list[str | None] | None:
    if cve.get("cisaExploitAdd") is None:
        return None
    added, due = _text(cve["cisaExploitAdd"]), _optional(cve.get("cisaActionDue"))
    for day in (added, due):
        if day is not None:
            datetime.strptime(day, "%Y-%m-%d")  # noqa: DTZ007 - a day has no zone, only its form is asked
    return [added, due, _optional(cve.get("cisaVulnerabilityName")), _optional(cve.get("cisaRequiredAction"))]


def _configurations(raw: list[dict[str, Any]]) -> tuple[bytes | None, tuple[int, ...]]:
    encoder = ConfigurationEncoder()
    return encoder.finish(
        [
            [*_combination(one), [[*_combination(node), _criteria(encoder, node)] for node in one["nodes"]]]
            for one in raw
        ]
    )


def _combination(part: dict[str, Any]) -> tuple[str, bool]:
    operator, negate = part.get("operator", "OR"), part.get("negate", False)
    if operator not in _OPERATORS or not isinstance(negate, bool):
        raise ValueError("a configuration has an operator or a negation that is none")
    return operator, negate


def _criteria(encoder: ConfigurationEncoder, node: dict[str, Any]) -> list[list[Any]]:
    return [
        # most criteria have no bounds but only these two and NVD's number for them
        encoder.criterion(_text(one["criteria"]), vulnerable=one["vulnerable"] is True)
        if len(one) == _UNBOUND_LENGTH and "matchCriteriaId" in one
        else encoder.criterion(
            _text(one["criteria"]),
            _optional(one.get("versionStartIncluding")),
            _optional(one.get("versionStartExcluding")),
            _optional(one.get("versionEndIncluding")),
            _optional(one.get("versionEndExcluding")),
            vulnerable=one["vulnerable"] is True,
        )
        for one in node["cpeMatch"]
    ]
