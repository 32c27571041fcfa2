"""Every error netvigil raises on purpose, so that the edges can answer each in one clear sentence.

NetvigilError
├── UsageError             the command or setting is wrong            CLI exit 2
├── EnvironmentFault       something outside is missing or broken     CLI exit 1
│   ├── DataDirectoryHeld  another process owns the data directory
│   ├── DatabaseFault      the database cannot be started or reached
│   └── ToolMissing        a program such as nmap is not installed
├── FeedError              a feed file is damaged or no feed at all   CLI exit 1
├── SiteOffline            no packet comes back from a site           fails its site scan
├── ProbeFault             probing itself broke (nmap died, no route) fails its site scan
├── Superseded             a newer attempt owns this run              the run leaves silently
└── RequestError           a request cannot be carried out            HTTP 4xx
├── Malformed          400
├── Unauthenticated    401
├── PermissionDenied   403
├── NotFound           404
├── Conflict           409
├── BodyTooLarge       413
├── Invalid            422
└── RateLimited        429
"""

from __future__ import annotations

from typing import ClassVar


class NetvigilError(Exception):
    """Base of all deliberate errors; its text is one sentence that a user can act on."""


class UsageError(NetvigilError):
    """The command line or a setting is wrong."""


class EnvironmentFault(NetvigilError):
    """Something outside of netvigil is missing or broken."""


class DataDirectoryHeld(EnvironmentFault):
    """Another netvigil process owns the data directory."""


class DatabaseFault(EnvironmentFault):
    """The database cannot be started or reached."""


class ToolMissing(EnvironmentFault):
    """A program that we need is not installed."""


class FeedError(NetvigilError):
    """A feed file is damaged, or is no feed that we know."""


class SiteOffline(NetvigilError):
    """Nothing at the site answers and its gateway is silent."""


class ProbeFault(NetvigilError):
    """Probing broke: nmap failed, the vantage is gone, a permission is missing."""


class Superseded(NetvigilError):
    """A newer attempt owns this run; whatever this one still holds must not be written."""


class RequestError(NetvigilError):
    """A request that cannot be carried out; `code` is the contract's short identifier."""

    status: ClassVar[int] = 400
    type: ClassVar[str] = "invalid_request_error"

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Malformed(RequestError):
    """The body is no JSON object, or not JSON at all."""


class Unauthenticated(RequestError):
    """No token, or one that does not hold."""

    status = 401
    type = "authentication_error"


class PermissionDenied(RequestError):
    """The token holds but lacks a scope."""

    status = 403
    type = "permission_error"


class NotFound(RequestError):
    """No such thing in this organisation; another organisation's things look exactly the same."""

    status = 404

    def __init__(self, message: str, code: str = "resource_missing") -> None:
        super().__init__(code, message)


class Conflict(RequestError):
    """The thing is in a state that forbids the request."""

    status = 409
    type = "conflict_error"


class BodyTooLarge(RequestError):
    """The body exceeds the limit of the service."""

    status = 413


class Invalid(RequestError):
    """Well-formed, but a field's value is not possible; `errors` maps each field to its messages."""

    status = 422

    def __init__(self, code: str, message: str, errors: dict[str, list[str]] | None = None) -> None:
        super().__init__(code, message)
        self.errors = errors or {}


class RateLimited(RequestError):
    """Too many requests; `retry_after` is in whole seconds."""

    status = 429
    type = "rate_limit_error"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__("rate_limited", message)
        self.retry_after = retry_after
