"""Bearer tokens: JWTs signed with this installation's key."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from joserfc import jwt
from joserfc.errors import ExpiredTokenError, JoseError, SecurityWarning

from netvigil.access.scopes import ALL, Scope, read_scopes
from netvigil.errors import PermissionDenied, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netvigil.access.keys import Keys

ALGORITHM = "EdDSA"  # what every JWT library knows; RFC 9864 names the same signature Ed25519
# The library warns on each use of the older name; verifiers in the field know no other one yet.
warnings.filterwarnings("ignore", message="EdDSA is deprecated", category=SecurityWarning)

LEEWAY_SECONDS = 30
ORGANISATION_MAX = 200
PROVEN_MAX = 1000  # tokens


@dataclass(frozen=True, slots=True)
class Principal:
    """Whom a token speaks for: `organisation` is its `org_id` claim, `scopes` what it may do."""

    subject: str
    organisation: str
    scopes: frozenset[str]
    token_id: str

    def require(self, scope: Scope) -> None:
        """Raise PermissionDenied (403) unless the token carries the scope."""
        if scope not in self.scopes and ALL not in self.scopes:
            raise PermissionDenied("scope_missing", f"This request needs the scope '{scope}'.")


@dataclass(frozen=True, slots=True)
class TokenAuthority:
    """Issues and verifies tokens for one issuer and audience."""

    keys: Keys
    issuer: str
    audience: str
    _proven: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False, compare=False)

    def issue(self, *, organisation: str, scopes: Iterable[str], subject: str, ttl: float) -> str:
        """A signed token good for `ttl` seconds (RFC 7519; RFC 8037 for EdDSA)."""
        now = int(time.time())
        claims = {
            "sub": subject,
            "org_id": organisation,
            "scopes": sorted(scopes),
            "iss": self.issuer,
            "aud": self.audience,
            "iat": now,
            "exp": now + int(ttl),
            "jti": str(uuid4()),
        }
        header = {"alg": ALGORITHM, "typ": "JWT", "kid": self.keys.signing.kid}
        return jwt.encode(header, claims, self.keys.signing, algorithms=[ALGORITHM])

    def verify(self, token: str) -> Principal:
        """Whom the token speaks for; raises Unauthenticated `token_invalid` or `token_expired` (401)."""
        try:
            claims = self._claims(token)
            rules = jwt.JWTClaimsRegistry(
                leeway=LEEWAY_SECONDS,
                iss={"essential": True, "value": self.issuer},
                aud={"essential": True, "value": self.audience},
                exp={"essential": True},
                sub={"essential": True},
                jti={"essential": True},
                org_id={"essential": True},
            )
            rules.validate(claims)
        except ExpiredTokenError:
            raise Unauthenticated("token_expired", "The token has expired; create a new one.") from None
        except (JoseError, ValueError, TypeError):
            raise Unauthenticated("token_invalid", "The token is not valid for this service.") from None
        return _principal(claims)

    def _claims(self, token: str) -> dict[str, Any]:
        """The claims of a token whose signature holds; that it does is asked once, for it costs more than the rest."""
        known = self._proven.get(token)
        if known is None:
            known = jwt.decode(token, self.keys.signing, algorithms=[ALGORITHM, "Ed25519"]).claims
            while len(self._proven) >= PROVEN_MAX:
                self._proven.pop(next(iter(self._proven)), None)
            self._proven[token] = known
        return known


def _principal(claims: dict[str, object]) -> Principal:
    organisation, subject, token_id = (claims.get(name) for name in ("org_id", "sub", "jti"))
    if not (
        isinstance(organisation, str)
        and 0 < len(organisation) <= ORGANISATION_MAX
        and organisation.isprintable()  # what a log line and PostgreSQL can take: no NUL, no lone surrogate
        and isinstance(subject, str)
        and isinstance(token_id, str)
    ):
        raise Unauthenticated("token_invalid", "The token is not valid for this service.")
    return Principal(
        subject=subject, organisation=organisation, scopes=read_scopes(claims), token_id=token_id
    )
