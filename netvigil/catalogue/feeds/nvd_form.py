"""The parts of NVD's 2.0 form that several feeds share, as msgspec reads them, and their way into the stored form.

Source: NVD's JSON schemas `cve_api_json_2.0` and `cvss-v*.json`. Fields that we do not know are passed over, because NVD
adds some every year; a known field of the wrong type makes the record unreadable.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, TypeVar

import msgspec

from netvigil.catalogue.encoding import ConfigurationEncoder
from netvigil.catalogue.feeds.base import DamagedFile, parse_json
from netvigil.errors import FeedError

if TYPE_CHECKING:
    from collections.abc import Sequence

# Structs without `gc` are not looked at by the garbage collector: records hold no cycles, and there are millions

T = TypeVar("T")

_ID = re.compile(rb'"(?:id|ID|cveId)"\s*:\s*"(CVE-[0-9-]{4,20})"')


class CpeMatch(msgspec.Struct, gc=False):
    """One criterion: a CPE, and bounds on its version."""

    criteria: str
    vulnerable: bool
    versionStartIncluding: str | None = None
    versionStartExcluding: str | None = None
    versionEndIncluding: str | None = None
    versionEndExcluding: str | None = None


class Node(msgspec.Struct, gc=False):
    """Criteria of which one (OR) or all (AND) must hold."""

    cpeMatch: list[CpeMatch]
    operator: Literal["OR", "AND"] = "OR"
    negate: bool = False


class Configuration(msgspec.Struct, gc=False):
    """Nodes of which one (OR) or all (AND) must hold."""

    nodes: list[Node]
    operator: Literal["OR", "AND"] = "OR"
    negate: bool = False


class Text(msgspec.Struct, gc=False):
    """A text in a language."""

    lang: str
    value: str


class Link(msgspec.Struct, gc=False):
    """A reference."""

    url: str
    tags: list[str] = []


def encode_configurations(configurations: Sequence[Configuration]) -> tuple[bytes | None, tuple[int, ...]]:
    """The stored form and the product keys of configurations in NVD's form; ValueError where a criteria is no CPE."""
    if not configurations:
        return None, ()
    encoder = ConfigurationEncoder()
    return encoder.finish(
        [
            (
                configuration.operator,
                configuration.negate,
                [
                    (node.operator, node.negate, encoder.nvd_criteria(node.cpeMatch))
                    for node in configuration.nodes
                ],
            )
            for configuration in configurations
        ]
    )


def english(texts: Sequence[Text]) -> str:
    """The first English text; any kind of English where plain English is missing, empty where all is."""
    for text in texts:
        if text.lang == "en":
            return text.value
    return next((text.value for text in texts if text.lang.startswith("en")), "")


def links(references: Sequence[Link]) -> list[tuple[str, list[str]]]:
    """Each link once, because NVD lists most of them for two sources, with the tags of all."""
    tags: dict[str, list[str]] = {}
    for reference in references:
        known = tags.setdefault(reference.url, reference.tags)
        if known is not reference.tags:
            known += [tag for tag in reference.tags if tag not in known]
    return list(tags.items())


def decode(decoder: msgspec.json.Decoder[T], raw: bytes, form: str) -> T:
    """A record by a typed decoder; FeedError, naming the CVE, where it has another shape, DamagedFile for no JSON."""
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        parse_json(raw)  # what is no JSON is damaged, whatever else is wrong with it
        raise FeedError(f"{name_of(raw)} has not the form of {form}: {error}.") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise DamagedFile(f"The file is damaged: a record is no JSON ({error}).") from error


def name_of(raw: bytes) -> str:
    """The CVE of a record that cannot be read, for the message."""
    found = _ID.search(raw)
    return found[1].decode() if found else "A record without a CVE identifier"
