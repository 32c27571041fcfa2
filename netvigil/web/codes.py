"""One-time links: a code in the database that stands for a token, taken out when it is used."""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from sqlalchemy import delete

from netvigil.errors import EnvironmentFault, Unauthenticated
from netvigil.web.models import SignInCode

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.access.secrets import SecretBox

GOOD_FOR: Final = timedelta(minutes=10)
_CODE_BYTES: Final = 32
_LONGEST_CODE: Final = 100


async def make_link(session: AsyncSession, box: SecretBox, base: str, token: str) -> str:
    """A link that signs one browser in with the token, once, within ten minutes; `base` has no slash at its end."""
    code = secrets.token_urlsafe(_CODE_BYTES)
    digest = _digest(code)
    now = datetime.now(UTC)
    await session.execute(delete(SignInCode).where(SignInCode.expires_at < now))
    session.add(SignInCode(digest=digest, token=box.seal(token, _label(digest)), expires_at=now + GOOD_FOR))
    await session.flush()
    return f"{base}/sign-in?{urlencode({'code': code})}"


async def redeem(session: AsyncSession, box: SecretBox, code: str) -> str:
    """The token that the code stands for, which is good no more; raises Unauthenticated `link_invalid`."""
    digest = _digest(code[:_LONGEST_CODE])
    taken = delete(SignInCode).where(SignInCode.digest == digest)
    row = (await session.execute(taken.returning(SignInCode.token, SignInCode.expires_at))).one_or_none()
    if row is not None and row.expires_at >= datetime.now(UTC):
        try:
            return box.open(row.token, _label(digest))
        except EnvironmentFault:
            pass
    raise Unauthenticated(
        "link_invalid",
        "This link has been used or is older than ten minutes. Make a new one, or paste a token.",
    )


def _digest(code: str) -> bytes:
    return hashlib.sha256(code.encode(errors="replace")).digest()


def _label(digest: bytes) -> str:
    return f"sign-in code {digest.hex()}"
