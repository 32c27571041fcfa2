"""The HTTP edge that every route shares: who calls, one transaction a request, JSON in, pages out."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode
from uuid import UUID

import orjson
import structlog
from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from netvigil.access.scopes import Scope
from netvigil.access.service import get_organisation_id
from netvigil.access.tokens import Principal
from netvigil.access.validation import validated
from netvigil.errors import BodyTooLarge, Invalid, Malformed, Unauthenticated

Model = TypeVar("Model", bound=BaseModel)
PAGE_MAX = 500
DOCUMENTED_BODIES: dict[str, type[BaseModel]] = {}
"""Request models by name, so that the OpenAPI document can describe what `json_body` reads."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the token's principal and the id of its organisation."""

    principal: Principal
    organisation_id: UUID


async def _transaction(request: Request) -> AsyncIterator[AsyncSession]:
    async with request.app.state.database.transaction() as session:
        yield session


async def _reading(request: Request) -> AsyncIterator[AsyncSession]:
    async with request.app.state.database.reading() as session:
        yield session


# Function scope: committed before the answer leaves, so a 201 is never followed by a failed commit.
Session = Annotated[AsyncSession, Depends(_transaction, scope="function")]
# For routes that only read: no BEGIN and no COMMIT, which are half of a small request's round trips.
ReadSession = Annotated[AsyncSession, Depends(_reading, scope="function")]


# async though it awaits nothing: a plain function would go to a thread and back, which costs more than its work
async def _authenticate(request: Request) -> Principal:
    header = request.headers.get("authorization", "")
    kind, _, token = header.partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise Unauthenticated(
            "token_missing", "This request needs a bearer token in the Authorization header."
        )
    principal: Principal = request.app.state.authority.verify(token.strip())
    return principal


def requires(scope: Scope) -> Any:
    """A dependency that gives the Caller, or answers 401 or 403."""

    async def caller(principal: Annotated[Principal, Depends(_authenticate)], request: Request) -> Caller:
        principal.require(scope)
        return await identify(request, principal)

    return Depends(caller)


async def identify(request: Request, principal: Principal) -> Caller:
    """The principal with the id of its organisation, which the request's log lines name from now on."""
    known: dict[str, UUID] = request.app.state.organisation_ids
    if principal.organisation not in known:
        async with request.app.state.database.transaction() as session:
            known[principal.organisation] = await get_organisation_id(session, principal.organisation)
    structlog.contextvars.bind_contextvars(organisation_id=str(known[principal.organisation]))
    return Caller(principal=principal, organisation_id=known[principal.organisation])


async def read_json_object(request: Request) -> dict[str, Any]:
    """The body as a JSON object; raises the contract's 400s and 413."""
    limit: int = request.app.state.settings.max_body_bytes
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise BodyTooLarge("body_too_large", f"The request body is larger than {limit} bytes.")
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json" and not (media.startswith("application/") and media.endswith("+json")):
        raise Malformed("invalid_content_type", "The Content-Type of this request must be application/json.")
    try:
        value = orjson.loads(body)
    except (orjson.JSONDecodeError, RecursionError):
        raise Malformed("malformed_json", "The request body is not valid JSON.") from None
    if not isinstance(value, dict):
        raise Malformed("body_not_object", "The request body must be a JSON object.")
    return value


# Read before the route locks anything: a client that sends slowly must not hold a schedule's row meanwhile.
JsonObject = Annotated[dict[str, Any], Depends(read_json_object)]


def json_body(model: type[Model]) -> Any:
    """A dependency that reads the body into `model`, answering 400, 413 or 422 as the contract says."""
    DOCUMENTED_BODIES[model.__name__] = model

    async def body(request: Request) -> Model:
        return validated(model, await read_json_object(request))

    return Depends(body)


def describes(
    model: type[BaseModel], example: dict[str, Any] | None = None, *, part: bool = False
) -> dict[str, Any]:
    """`openapi_extra` for a route whose body `json_body(model)` reads; with `part`, no field is required."""
    name = f"{model.__name__}Part" if part else model.__name__
    DOCUMENTED_BODIES[name] = model
    content: dict[str, Any] = {"schema": {"$ref": f"#/components/schemas/{name}"}}
    if example:
        content["example"] = example
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list: at most `limit` rows older than `before` (creation time and id)."""

    limit: int
    before: tuple[datetime, UUID] | None


def read_page(
    limit: Annotated[str | None, Query(description=f"Rows a page, 1 to {PAGE_MAX}.")] = None,
    cursor: Annotated[
        str | None, Query(description="Where the next page begins, from a Link header.")
    ] = None,
) -> Page:
    """Paging of any list; raises Invalid (422) on a bad limit or cursor."""
    size = PAGE_MAX
    if limit is not None:
        if not (re.fullmatch("[0-9]{1,9}", limit) and 1 <= int(limit) <= PAGE_MAX):
            raise _invalid("limit", f"The 'limit' parameter must be an integer from 1 to {PAGE_MAX}.")
        size = int(limit)
    return Page(limit=size, before=read_cursor(cursor) if cursor else None)


Paging = Annotated[Page, Depends(read_page)]


def link_next(request: Request, response: Response, page: Page, rows: list[Any]) -> list[Any]:
    """Cut the probe row off and name the next page in a `Link` header.

    Queries fetch one row more than the page holds; rows have `created_at` and `id`.
    """
    if len(rows) <= page.limit:
        return rows
    rows = rows[: page.limit]
    token = cursor_after(rows[-1])
    query = [(k, v) for k, v in request.query_params.multi_items() if k not in {"cursor", "limit"}]
    query += [("limit", str(page.limit)), ("cursor", token)]
    url = f"{base_url(request)}{request.url.path}?{urlencode(query)}"
    response.headers["Link"] = f'<{url}>; rel="next"'
    return rows


def base_url(request: Request) -> str:
    """The public base URL without a trailing slash: the setting, else the request's own."""
    setting: str | None = request.app.state.settings.public_url
    return (setting or str(request.base_url)).rstrip("/")


def cursor_after(row: Any) -> str:
    """Where the page behind a row begins; the row has `created_at` and `id`."""
    return base64.urlsafe_b64encode(f"{row.created_at.isoformat()}|{row.id}".encode()).decode()


def read_cursor(cursor: str) -> tuple[datetime, UUID]:
    """The creation time and id that a cursor stands for; raises Invalid (422)."""
    try:
        at, _, row = base64.urlsafe_b64decode(cursor.encode()).decode().partition("|")
        when, last = datetime.fromisoformat(at), UUID(row)
        if when.tzinfo is not None:
            return when.astimezone(UTC), last
    except (ValueError, OverflowError, binascii.Error):
        pass
    raise _invalid("cursor", "The 'cursor' parameter is not one that a Link header gave.")


def _invalid(field: str, message: str) -> Invalid:
    return Invalid("parameter_invalid", message, {field: [message]})
