"""Logging: structlog on stderr, text for people or JSON for machines; device strings escaped, secrets left out."""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from collections.abc import MutableMapping

HIDDEN = "***"
_SECRET_NAMES = re.compile(
    r"(?:^|_)(?:password|passwd|secret|token|authorization|cookie|community|api_key|secret_key|signature|dsn)$",
    re.IGNORECASE,
)
_SECRET_WORDS = re.compile(
    r"(?P<url>://[^\s/@:]*:)[^\s/@]+(?=@)"  # a password in an address
    r"|(?P<bearer>\bBearer\s+)[\w.~+/=-]+"
    r"|\beyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*"  # a JSON Web Token
    r"|(?P<named>\b(?:password|secret|token|signature)=)[^\s&'\"]+",
    re.IGNORECASE,
)


def set_up_logging(*, json: bool, level: int = logging.INFO) -> None:
    """Route structlog and the standard library's loggers to stderr.

    Values are rendered by repr or JSON, so that a control character in a banner cannot forge a line.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        hide_secrets,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if json
        else structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"])
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    stream = logging.StreamHandler(sys.stderr)
    stream.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [stream]
    root.setLevel(level)
    # These two log each job and each request at INFO; our own lines say the same with the scan's id.
    logging.getLogger("procrastinate").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # These log whole addresses, and a mirror's may hold a password.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)


def hide_secrets(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: what is called a secret, or looks like one in a text, is replaced by stars.

    It is the last net: whoever logs does not log secrets. Errors of libraries, though, quote addresses.
    """
    for name, value in line.items():
        if _SECRET_NAMES.search(name) and value is not None:
            line[name] = HIDDEN
        elif isinstance(value, str):
            line[name] = _SECRET_WORDS.sub(_star, value)
    return line


def _star(found: re.Match[str]) -> str:
    kept = next((word for word in found.groupdict().values() if word), "")
    return f"{kept}{HIDDEN}"
