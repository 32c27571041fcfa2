"""Settings: read once from the environment by the CLI and the app, then passed on, never looked up again."""

from __future__ import annotations

import base64
import binascii
import os
import re
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from netvigil.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "NETVIGIL_"
SECRET_KEY_BYTES = 32
_URL_SAFE = str.maketrans("-_", "+/")
_VANTAGE = re.compile(
    r"any|local|netns:[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}|vrf:[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}"
)
_POSITIVE = (
    "link_ttl",
    "pdf_timeout",
    "max_body_bytes",
    "worker_concurrency",
    "worker_dead_after",
    "vantage_patience",
    "max_rate",
    "max_rate_on_link",
    "max_connections",
    "llm_timeout",
)


class SiteRegistration(StrEnum):
    """What happens when a schedule names a site id that nobody has registered."""

    AUTO = "auto"  # registered on first use, with the subnet as its network
    STRICT = "strict"  # refused with 422 site_unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set; each field is read from `NETVIGIL_<FIELD>` in upper case."""

    data_dir: Path
    """Keys, the embedded database, logs."""
    database_url: str | None = None
    """`postgresql://…` of an external server; None starts the embedded one."""
    public_url: str | None = None
    """Base URL in links that leave the service; None takes the request's own."""
    site_registration: SiteRegistration = SiteRegistration.AUTO
    missed_run_grace: float = 6 * 3600.0
    """Seconds a missed run may be late and still be started."""
    link_ttl: float = 24 * 3600.0
    """Seconds a signed download link is good for."""
    pdf_timeout: float = 120.0
    """Seconds that making a report's PDF may take; one of 20,000 findings took nine on a busy machine."""
    token_issuer: str = "netvigil"  # noqa: S105 - a name, no secret
    token_audience: str = "netvigil"  # noqa: S105 - a name, no secret
    max_body_bytes: int = 2 * 1024 * 1024
    """Largest request body; a multi-IP request of 1,024 addresses is far below it."""
    worker_concurrency: int = 8
    """Site scans that one worker runs at a time."""
    worker_dead_after: float = 8.0
    """Seconds without a heartbeat after which a worker counts as dead."""
    vantages: tuple[str, ...] = ()
    """Whose sites the worker scans, separated by commas: `local`, `netns:<name>`, `vrf:<device>`, or `any` for all.
    Empty means `any` with the embedded database, whose only machine this is, and `local` with NETVIGIL_DATABASE_URL."""
    vantage_patience: float = 900.0
    """Seconds that a site scan waits for a worker that reaches its vantage; then it fails and says which."""
    site_scans_per_organisation: int = 0
    """Site scans of one organisation that run at a time, on all workers together; 0 for no limit. None by default:
    most services have one organisation, which a limit would only keep from its own workers."""
    site_scans_overall: int = 0
    """Site scans that run at a time, on all workers together; 0 for no limit."""
    max_rate: int = 1500
    """Packets a second, at most, towards one site beyond a router, whose connection table they fill."""
    max_rate_on_link: int = 5000
    """Packets a second, at most, towards one site on this machine's own segment, where no router is in between."""
    max_connections: int = 200
    """New TCP connections a second, at most, towards one site."""
    secret_key: str | None = field(default=None, repr=False)
    """32 bytes in base64 that encrypt the credentials of sites' routers in the database; wins over the file
    `secret-key` among the keys, which is made on first use. Machines that share a database must share it:
    `openssl rand -base64 32` makes one."""
    notify_allow: tuple[str, ...] = ()
    """Addresses and networks in CIDR notation, separated by commas, that messages may be sent to although they are
    loopback, link-local or a cloud's metadata address: `127.0.0.1` for a mail relay on this machine."""
    llm_url: str | None = None
    """Base URL of an OpenAI-compatible endpoint, `http://127.0.0.1:11434/v1`, which adds a section to mitigations; it is
    told public facts of the CVE only. None asks nobody."""
    llm_model: str | None = None
    """The model to use there; wanted where NETVIGIL_LLM_URL is set."""
    llm_api_key: str | None = field(default=None, repr=False)
    """What the endpoint wants as a bearer token, if anything."""
    llm_timeout: float = 10.0
    """Seconds, at most, that a mitigation waits for the model; after them it is answered without that section."""
    log_json: bool = False
    """Log lines as JSON instead of text."""
    metrics: bool = True
    """Whether `/metrics` is served."""
    metrics_token: str | None = field(default=None, repr=False)
    """What `/metrics` wants as a bearer token; None lets everybody read it who reaches the service."""

    @property
    def worker_vantages(self) -> tuple[str, ...]:
        """The vantages whose sites this process's worker scans."""
        return self.vantages or (("any",) if self.database_url is None else ("local",))

    @property
    def keys_dir(self) -> Path:
        """Where signing keys live."""
        return self.data_dir / "keys"


def default_data_dir(environ: Mapping[str, str]) -> Path:
    """The directory used when neither flag nor `NETVIGIL_DATA_DIR` names one."""
    if os.geteuid() == 0:
        return Path("/var/lib/netvigil")
    base = environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "netvigil"


def read_settings(environ: Mapping[str, str] = os.environ, **given: Any) -> Settings:
    """Settings from the environment; `given` values that are not None win (command-line flags).

    Raises UsageError with one sentence that names the variable.
    """
    values: dict[str, Any] = {}
    for spec in fields(Settings):
        name = PREFIX + spec.name.upper()
        raw = environ.get(name, "").strip()
        if raw:
            values[spec.name] = _convert(name, str(spec.type), raw)
    values.setdefault("data_dir", default_data_dir(environ))
    settings = replace(Settings(**values), **{k: v for k, v in given.items() if v is not None})
    _check(settings)
    return replace(settings, data_dir=settings.data_dir.expanduser().absolute())


def _convert(name: str, kind: str, raw: str) -> Any:
    try:
        match kind:
            case "Path":
                return Path(raw)
            case "float":
                return float(raw)
            case "int":
                return int(raw)
            case "bool":
                return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[
                    raw.lower()
                ]
            case "tuple[str, ...]":
                return tuple(word for word in (part.strip() for part in raw.split(",")) if word)
            case _:
                return SiteRegistration(raw) if kind == "SiteRegistration" else raw
    except (ValueError, KeyError):
        raise UsageError(f"The setting {name} has the value {raw!r}, which is no {kind}.") from None


def _check(settings: Settings) -> None:
    if settings.database_url is not None:
        scheme = urlsplit(settings.database_url).scheme
        if scheme not in {"postgresql", "postgres", "postgresql+psycopg"}:
            raise UsageError("NETVIGIL_DATABASE_URL must start with postgresql://.")
    if settings.public_url is not None and urlsplit(settings.public_url).scheme not in {"http", "https"}:
        raise UsageError("NETVIGIL_PUBLIC_URL must start with http:// or https://.")
    if settings.secret_key is not None:
        read_secret_key(settings.secret_key)
    if settings.llm_url is not None:
        _check_model(settings.llm_url, settings.llm_model)
    _check_worker(settings)
    for word in settings.notify_allow:
        try:
            ip_network(word, strict=False)
        except ValueError:
            raise UsageError(f"NETVIGIL_NOTIFY_ALLOW: {word!r} is no address or network.") from None
    for name in _POSITIVE:
        if getattr(settings, name) <= 0:
            raise UsageError(f"The setting {PREFIX}{name.upper()} must be greater than 0.")


def _check_model(url: str, model: str | None) -> None:
    if urlsplit(url).scheme not in {"http", "https"}:
        raise UsageError("NETVIGIL_LLM_URL must start with http:// or https://.")
    if model is None:
        raise UsageError("NETVIGIL_LLM_URL needs NETVIGIL_LLM_MODEL, the name of the model to use there.")


def _check_worker(settings: Settings) -> None:
    for word in settings.vantages:
        if not _VANTAGE.fullmatch(word):
            raise UsageError(
                f"{word!r} is no vantage: write local, netns:<name>, vrf:<device>, or any for all of them."
            )
    for name in ("site_scans_per_organisation", "site_scans_overall"):
        if getattr(settings, name) < 0:
            raise UsageError(f"The setting {PREFIX}{name.upper()} must be 0, for no limit, or greater.")


def read_secret_key(text: str) -> bytes:
    """The 32 bytes of a key written in base64, plain or URL-safe; raises UsageError, which never shows the text."""
    try:
        key = base64.b64decode(text.strip().translate(_URL_SAFE), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != SECRET_KEY_BYTES:
        raise UsageError(
            f"NETVIGIL_SECRET_KEY must be {SECRET_KEY_BYTES} bytes in base64; 'openssl rand -base64 32' makes one."
        )
    return key
