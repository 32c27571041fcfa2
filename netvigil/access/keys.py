"""Keys of this installation: made on first start, kept in files that only the owner reads."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from netvigil.errors import EnvironmentFault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SIGNING_FILE = "signing-key.json"
LINK_FILE = "link-key"
LINK_BYTES = 32


@dataclass(frozen=True, slots=True)
class Keys:
    """`signing` signs tokens (Ed25519), `link` signs download links (HMAC)."""

    signing: OKPKey
    link: bytes


def load_keys(folder: Path) -> Keys:
    """The keys in `folder`, made there on the first call; safe when two processes come first at once."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    signing = read_or_make(folder / SIGNING_FILE, _new_signing_key)
    link = read_or_make(folder / LINK_FILE, lambda: secrets.token_hex(LINK_BYTES).encode())
    try:
        keys = Keys(signing=OKPKey.import_key(json.loads(signing)), link=bytes.fromhex(link.decode()))
    except (JoseError, ValueError, TypeError) as error:
        raise _damaged(folder, error) from None
    # half a file can still be readable: an empty link key would sign links that anyone can make
    if not keys.signing.is_private or len(keys.link) != LINK_BYTES:
        raise _damaged(folder, "a part is missing")
    return keys


def _damaged(folder: Path, why: object) -> EnvironmentFault:
    return EnvironmentFault(
        f"A key file in {folder} is damaged ({why}); restore it from a backup, or delete it to "
        "have a new one made, which ends the tokens and links that the old one signed."
    )


def _new_signing_key() -> bytes:
    key = OKPKey.generate_key("Ed25519", private=True, auto_kid=True)
    return json.dumps(key.as_dict(private=True)).encode()


def read_or_make(path: Path, make: Callable[[], bytes]) -> bytes:
    """The content of a key file that only its owner reads; made on the first call, by one process only."""
    if not path.exists():
        # Written aside and linked into place: the name appears once, whole, and never overwrites.
        draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(make())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_bytes()
