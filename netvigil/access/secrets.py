"""Secrets that users entrust to the service, encrypted at rest with a key that is not in the database."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from netvigil.access.keys import read_or_make
from netvigil.errors import EnvironmentFault, UsageError
from netvigil.settings import SECRET_KEY_BYTES, read_secret_key

if TYPE_CHECKING:
    from pathlib import Path

    from netvigil.settings import Settings

SECRET_FILE = "secret-key"  # noqa: S105 - a file's name
_FORM = b"\x01"  # AES-256-GCM: this byte, the nonce, the sealed text with its tag
_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class SecretBox:
    """Seals and opens secrets (AES-256-GCM, NIST SP 800-38D) with the setting's key, or else the file's.

    A sealed secret opens only under the label that it was sealed with, so that one moved to another row is worthless.
    """

    folder: Path
    given: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, settings: Settings) -> SecretBox:
        """The box of a process with these settings; no key is read or made before it is needed."""
        return cls(settings.keys_dir, settings.secret_key)

    def seal(self, secret: str, label: str) -> bytes:
        """The secret, encrypted; the key file is made when there is neither one nor a setting.

        Raises EnvironmentFault when the key is damaged.
        """
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _FORM + nonce + self._cipher(make=True).encrypt(nonce, secret.encode(), _FORM + label.encode())

    def open(self, sealed: bytes, label: str) -> str:
        """The secret again; raises EnvironmentFault when the key is missing, damaged or another one."""
        cipher = self._cipher(make=False)
        nonce, text = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return cipher.decrypt(nonce, text, sealed[:1] + label.encode()).decode()
        except (InvalidTag, ValueError):
            raise EnvironmentFault(
                "A stored secret was encrypted with another key than this machine has: set the same "
                "NETVIGIL_SECRET_KEY on every machine, restore the key file, or enter the secret again."
            ) from None

    def _cipher(self, *, make: bool) -> AESGCM:
        path = self.folder / SECRET_FILE
        if self.given is None and not make and not path.exists():
            raise EnvironmentFault(
                f"The key that opens stored secrets is not on this machine: set NETVIGIL_SECRET_KEY, or copy "
                f"{path} from the machine that took the secret."
            )
        text = self.given if self.given is not None else self._read_file(path)
        try:
            return AESGCM(read_secret_key(text))
        except UsageError as error:
            if self.given is not None:
                raise EnvironmentFault(str(error)) from None
        raise EnvironmentFault(
            f"The key file {path} is damaged; restore it from a backup, or delete it and enter the secrets again."
        )

    def _read_file(self, path: Path) -> str:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return read_or_make(path, _new_key).decode("ascii", errors="replace")
        except OSError as error:
            raise EnvironmentFault(f"The key file {path} cannot be read: {error.strerror}.") from None


def _new_key() -> bytes:
    return base64.b64encode(secrets.token_bytes(SECRET_KEY_BYTES))
