"""`/scans/cve/mitigation`: operation 15 of the contract."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Request, Response

from netvigil.access.edge import Caller, requires
from netvigil.access.scopes import Scope
from netvigil.access.wire import answers
from netvigil.catalogue.records import CVE_ID
from netvigil.errors import Invalid
from netvigil.mitigation.schemas import MitigationAnswer
from netvigil.mitigation.service import build_mitigation

router = APIRouter(prefix="/scans/cve/mitigation", tags=["Vulnerability Intelligence"])
CanView = Annotated[Caller, requires(Scope.CVE_VIEW)]
MARKDOWN = "text/markdown"
_QUALITY = re.compile(r"q=([01](?:\.[0-9]{0,3})?)", re.IGNORECASE)


@router.get(
    "/{cve_id}",
    summary="Mitigation of a CVE",
    response_model=MitigationAnswer,
    responses={
        **answers(404, 422),
        200: {
            "content": {MARKDOWN: {"schema": {"type": "string"}}},
            "description": "What to do about the CVE.",
        },
    },
)
async def get_mitigation(
    request: Request, response: Response, caller: CanView, cve_id: str
) -> MitigationAnswer | Response:
    """What to do about a CVE: made from facts, with the organisation's own devices, as Markdown or in JSON."""
    state = request.app.state
    found = await build_mitigation(
        state.database, caller.organisation_id, read_cve_id(cve_id), state.section_writer
    )
    if prefers_markdown(request.headers.get("accept", "")):
        return Response(found.markdown, media_type=MARKDOWN, headers={"Vary": "Accept"})
    response.headers["Vary"] = "Accept"
    return MitigationAnswer(
        cve_id=found.cve_id, mitigation=found.markdown, source=found.source, generated_at=found.generated_at
    )


def read_cve_id(text: str) -> str:
    """The CVE's name in its one form; raises Invalid (422) for what is no such name."""
    name = text.upper()
    if not CVE_ID.fullmatch(name):
        message = "The 'cve_id' parameter must be a CVE identifier such as CVE-2018-14847."
        raise Invalid("parameter_invalid", message, {"cve_id": [message]})
    return name


def prefers_markdown(accept: str) -> bool:
    """Whether an Accept header asks for Markdown before JSON (RFC 9110, section 12.5.1)."""
    wanted: dict[str, float] = {}
    for part in accept.lower().split(",")[:20]:
        media, _, parameters = part.partition(";")
        quality = _QUALITY.search(parameters)
        wanted[media.strip()] = float(quality[1]) if quality else 1.0
    markdown = wanted.get(MARKDOWN, 0.0)
    return markdown > 0 and markdown >= wanted.get("application/json", 0.0)
