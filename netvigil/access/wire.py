"""How values look on the wire: the contract's time formats and the error documents of every route."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field, PlainSerializer, WithJsonSchema


def utc_text(value: datetime) -> str:
    """ISO 8601 in UTC with `Z`, whole seconds, as the published examples show."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def wall_text(value: datetime) -> str:
    """ISO 8601 with the offset of the value's own zone, whole seconds."""
    return value.isoformat(timespec="seconds")


_TIME_SCHEMA = WithJsonSchema({"type": "string", "format": "date-time"})
UtcTime = Annotated[datetime, PlainSerializer(utc_text, return_type=str), _TIME_SCHEMA]
WallTime = Annotated[datetime, PlainSerializer(wall_text, return_type=str), _TIME_SCHEMA]


class ErrorResponse(BaseModel):
    """What every error answer holds."""

    type: str = Field(description="A broad category for the error.", examples=["invalid_request_error"])
    code: str = Field(description="A short identifier of the specific error.", examples=["parameter_missing"])
    message: str = Field(
        description="What went wrong, for people.",
        examples=["The 'description' parameter is required for this request."],
    )
    doc_url: str = Field(description="The page that explains this code.")
    errors: dict[str, list[str]] | None = Field(default=None, description="On 422: each field's messages.")
    request_id: str | None = Field(default=None, description="Finds the request in the log.")


_MEANINGS = {
    400: "Bad Request - The body is not a JSON object.",
    401: "Unauthorized - No token, or one that does not hold.",
    403: "Forbidden - The token lacks the scope.",
    404: "Not Found - No such thing in this organisation.",
    409: "Conflict - The thing is in a state that forbids this.",
    413: "Content Too Large - The body exceeds the limit.",
    422: "Unprocessable Entity - A field's value is not possible.",
    500: "Internal Server Error - The request id finds it in the log.",
}


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route: the statuses named, and those that any route may give."""
    return {
        status: {"model": ErrorResponse, "description": _MEANINGS[status]}
        for status in sorted({*statuses, 401, 403, 500})
    }
