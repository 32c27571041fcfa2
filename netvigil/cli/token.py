"""`netvigil token`: make tokens with this installation's key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from netvigil.access.keys import load_keys
from netvigil.access.scopes import ALL, Scope
from netvigil.access.tokens import ORGANISATION_MAX, TokenAuthority
from netvigil.cli.common import fail, out, settings_from
from netvigil.errors import NetvigilError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from netvigil.settings import Settings

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LONGEST_DAYS = 3650


def run_token_create(org: str, scopes: list[str], ttl: str, subject: str, data_dir: Path | None) -> None:
    """Print the token alone."""
    try:
        settings = settings_from(data_dir, quiet=True)
        token = make_token(
            settings, org=org, scopes=read_scope_words(scopes), ttl=read_ttl(ttl), subject=subject
        )
    except NetvigilError as error:
        fail(error)
    except OSError as error:
        fail(NetvigilError(f"The keys in the data directory cannot be used: {error}."))
    out.print(token, soft_wrap=True)


def make_token(settings: Settings, *, org: str, scopes: list[str], ttl: float, subject: str) -> str:
    """A token of this installation."""
    if not org or len(org) > ORGANISATION_MAX or not org.isprintable():
        raise UsageError(f"An organisation's name has 1 to {ORGANISATION_MAX} printable characters.")
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    keys = load_keys(settings.keys_dir)
    authority = TokenAuthority(keys=keys, issuer=settings.token_issuer, audience=settings.token_audience)
    return authority.issue(organisation=org, scopes=scopes, subject=subject, ttl=ttl)


def read_scope_words(words: list[str]) -> list[str]:
    """Scopes from repeated, comma- or space-separated words; raises UsageError on one that nobody checks."""
    scopes = [scope for word in words for scope in re.split(r"[,\s]+", word) if scope]
    unknown = sorted(set(scopes) - {ALL, *Scope})
    if unknown or not scopes:
        raise UsageError(
            f"Unknown scope: {', '.join(unknown) or 'none given'}. Known are {ALL}, {', '.join(Scope)}."
        )
    return scopes


def read_ttl(text: str) -> float:
    """Seconds from `90s`, `30m`, `1h` or `7d`; raises UsageError."""
    found = re.fullmatch(r"([0-9]{1,8})([smhd])", text.strip())
    seconds = int(found[1]) * UNITS[found[2]] if found else 0
    if not 0 < seconds <= LONGEST_DAYS * UNITS["d"]:
        raise UsageError(
            f"The --ttl {text!r} is no time such as 90s, 30m, 1h or 7d, of at most {LONGEST_DAYS}d."
        )
    return float(seconds)
