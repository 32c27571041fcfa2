"""The style sheet, the script and the pictures: read once, named by their content, kept by browsers for good."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from fastapi import APIRouter, Request, Response

from netvigil.errors import NotFound

MEDIA: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

router = APIRouter()


@dataclass(frozen=True, slots=True)
class _Asset:
    content: bytes
    compressed: bytes
    media: str
    digest: str


def _read() -> dict[str, _Asset]:
    found = {}
    for entry in files("netvigil.web").joinpath("static").iterdir():
        media = MEDIA.get(f".{entry.name.rpartition('.')[2]}")
        if media is not None:
            content = entry.read_bytes()
            digest = hashlib.sha256(content).hexdigest()[:12]
            found[entry.name] = _Asset(content, gzip.compress(content, 9, mtime=0), media, digest)
    return found


_ASSETS = _read()


def asset_url(name: str) -> str:
    """Where a page finds the file: the address changes with the content."""
    return f"/static/{name}?v={_ASSETS[name].digest}"


@router.get("/static/{name}")
async def get_asset(request: Request, name: str) -> Response:
    """One file; there is nothing in it that not everybody may see."""
    found = _ASSETS.get(name)
    if found is None:
        raise NotFound("No such file.")
    current = request.query_params.get("v") == found.digest
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable" if current else "no-cache",
        "ETag": f'"{found.digest}"',
        "Vary": "Accept-Encoding",
    }
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(
            found.compressed, media_type=found.media, headers={**headers, "Content-Encoding": "gzip"}
        )
    return Response(found.content, media_type=found.media, headers=headers)
