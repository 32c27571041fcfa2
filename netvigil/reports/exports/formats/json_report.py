"""The report's own document as JSON, whose schema the package publishes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from netvigil.reports.exports.base import Content, Format, Options

if TYPE_CHECKING:
    from collections.abc import Iterator


def render(content: Content, _options: Options) -> Iterator[bytes]:
    """The document as it was frozen; decisions that were made later are not in it."""
    yield orjson.dumps(content.report)


FORMAT = Format("json", "application/json", "json", render)
