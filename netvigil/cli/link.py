"""`netvigil token create --link`: a link that signs a browser in, once."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from netvigil.access.secrets import SecretBox
from netvigil.app.service import open_database
from netvigil.cli.common import out, run, settings_from
from netvigil.cli.token import make_token, read_scope_words, read_ttl
from netvigil.errors import UsageError
from netvigil.web.codes import make_link

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_URL = "http://127.0.0.1:8080"  # where `netvigil serve` listens unless told otherwise


def run_link_create(
    org: str, scopes: list[str], ttl: str, subject: str, data_dir: Path | None, *, url: str | None
) -> None:
    """Print a link that signs a browser in with a new token; the token itself is never shown."""

    async def work() -> str:
        settings = settings_from(data_dir, quiet=True)
        words, seconds = read_scope_words(scopes), read_ttl(ttl)
        base = (url or settings.public_url or DEFAULT_URL).rstrip("/")
        if urlsplit(base).scheme not in {"http", "https"}:
            raise UsageError("The --url must start with http:// or https://.")
        token = make_token(settings, org=org, scopes=words, ttl=seconds, subject=subject)
        async with (
            open_database(settings, "netvigil token create", share=True) as database,
            database.transaction() as session,
        ):
            return await make_link(session, SecretBox.of(settings), base, token)

    out.print(run(work), soft_wrap=True)
