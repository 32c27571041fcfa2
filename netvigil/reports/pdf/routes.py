"""The signed download of a report as PDF."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from netvigil.access.edge import ReadSession
from netvigil.access.links import check_signature
from netvigil.access.validation import path_id
from netvigil.access.wire import answers
from netvigil.errors import NotFound
from netvigil.reports.pdf.service import find_pdf

router = APIRouter(prefix="/downloads/scans", tags=["Downloads"])


@router.get(
    "/{scan_id}/report.pdf",
    summary="Download a report as PDF",
    responses={**answers(404), 200: {"content": {"application/pdf": {}}, "description": "The report."}},
    response_class=Response,
)
async def download_pdf(
    request: Request, session: ReadSession, scan_id: str, expires: str = "", signature: str = ""
) -> Response:
    """The report for people; the signature in the link is the permission."""
    check_signature(request.url.path, expires, signature, key=request.app.state.keys.link)
    found = await find_pdf(session, path_id(scan_id, "scan"))
    if found is None:
        raise NotFound("The PDF of this scan does not exist.")
    name, content = found
    return Response(
        content,
        media_type="application/pdf",
        headers={
            "Content-Disposition": f'inline; filename="{name}"',  # a browser shows it, and names a saved copy
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "private, max-age=86400, immutable",
        },
    )
