"""PURE: the form of a row in the tables of what web pages say."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

PLACES: Final = ("server", "title", "realm", "generator", "headers", "body")


class Row(NamedTuple):
    """One sign of one product, in the words of a page.

    `place`: where it stands, one of PLACES or several joined by `|` (`headers`: all of them, a line each). `says`: a
    regular expression; case counts in the body only. Its groups `model`, `version`, `name` (of the host), `mac`,
    `serial` are learnt, `model2` and `version2` being the same in another place. `product` is nmap's wording, with `{model}` where the model goes; `cpe` is a CPE 2.2 URI, left
    out when it needs a `{slug}` (the model as NVD writes it) or a `{version}` that is not known. `ask`: the question of
    `web_questions` that would tell the rest.
    """

    place: str
    says: str
    product: str
    kind: str = ""
    cpe: str = ""
    system: str = ""
    info: str = ""
    ask: str = ""


class Compiled(NamedTuple):
    """A row ready for use: each place with the pattern for it."""

    row: Row
    places: tuple[tuple[str, re.Pattern[str]], ...]


_FLAGS: Final = {"headers": re.IGNORECASE | re.MULTILINE, "body": re.NOFLAG}


def compile_rows(rows: tuple[Row, ...]) -> tuple[Compiled, ...]:
    """Rows with their patterns, made once."""
    return tuple(
        Compiled(
            row,
            tuple(
                (place, re.compile(row.says, _FLAGS.get(place, re.IGNORECASE)))
                for place in row.place.split("|")
            ),
        )
        for row in rows
    )
