"""How an export is asked for over HTTP, and how it is answered."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from fastapi import Depends, Query, Response

from netvigil.errors import Invalid
from netvigil.reports.exports.base import Format, Options
from netvigil.reports.exports.service import file_name
from netvigil.reports.exports.table import FORMATS, get_format
from netvigil.scans.models import Scan

_BOOLEANS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


class Asked(NamedTuple):
    """The form that `format` names, and how it is to be made."""

    form: Format
    options: Options


def read_options(
    bom: Annotated[
        str | None,
        Query(description="Begin CSV with a byte order mark, for older spreadsheets: true or false."),
    ] = None,
) -> Options:
    """What may be chosen about a file; raises Invalid (422)."""
    if bom is not None and bom.lower() not in _BOOLEANS:
        message = "The 'bom' parameter must be true or false."
        raise Invalid("parameter_invalid", message, {"bom": [message]})
    return Options(bom=bom is not None and _BOOLEANS[bom.lower()])


Chosen = Annotated[Options, Depends(read_options)]


def read_format(
    options: Chosen,
    wanted: Annotated[
        str | None,
        Query(alias="format", description=f"Answer with a file: {', '.join(FORMATS)}."),
    ] = None,
) -> Asked | None:
    """The export that the query asks for, None when it asks for none; raises Invalid (422)."""
    return Asked(get_format(wanted), options) if wanted is not None else None


Exported = Annotated[Asked | None, Depends(read_format)]


def answer(scan: Scan, form: Format, body: bytes) -> Response:
    """The file, to be saved and not to be shown: what is in it was written by devices."""
    headers = {
        "Content-Disposition": f'attachment; filename="{file_name(scan, form)}"',
        "Cache-Control": "private, no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(body, media_type=form.media_type, headers=headers)
