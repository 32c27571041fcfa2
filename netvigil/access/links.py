"""Signed links: a download that needs no token, for one thing, until a time."""

from __future__ import annotations

import hashlib
import hmac
import time
from urllib.parse import urlencode

from netvigil.errors import PermissionDenied


def signed_url(base: str, path: str, *, key: bytes, ttl: float) -> str:
    """`base` + `path` with `expires` (Unix seconds) and `signature` (HMAC-SHA-256 over both)."""
    expires = int(time.time() + ttl)
    query = urlencode({"expires": expires, "signature": _signature(path, expires, key)})
    return f"{base}{path}?{query}"


def check_signature(path: str, expires: str, signature: str, *, key: bytes) -> None:
    """Raise PermissionDenied `link_invalid` (403) unless the link is ours, whole and in time."""
    good = (
        expires.isascii()
        and expires.isdigit()
        and len(expires) <= 12  # noqa: PLR2004 - Unix seconds for 30,000 years
        and signature.isascii()
        and hmac.compare_digest(_signature(path, int(expires), key), signature)
        and int(expires) >= time.time()
    )
    if not good:
        raise PermissionDenied(
            "link_invalid", "This link is not valid or has expired; ask the API for a new one."
        )


def _signature(path: str, expires: int, key: bytes) -> str:
    return hmac.new(key, f"{path}\n{expires}".encode(), hashlib.sha256).hexdigest()
