"""PURE: from a server's words to its product: tables of patterns, and the Answer that the first that fits gives."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from netvigil.probing.speak.answer import Answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_WORDS: Final = 4096  # characters of a greeting that are looked at
MAX_BANNER: Final = 4096  # bytes that are kept
_PLAIN_VERSION: Final = re.compile(r"\d[\w.]*")
_HOSTNAME: Final = re.compile(r"[A-Za-z0-9][\w-]{0,62}(?:\.[A-Za-z0-9_-]{1,63}){0,10}\.?")
# What stands in a host name's place where nobody gave one.
_NO_HOSTNAMES: Final = frozenset(
    {"localhost", "localhost.localdomain", "none", "unknown", "user", "username"}
)


class Wording(NamedTuple):
    """How a product names itself, searched for line by line.

    `says` may have groups `version`, `hostname`, `extra`, `model`, `mac`; `{model}` in `product` is replaced.
    `cpe`: CPE 2.2 without its beginning (`a:exim:exim`), which is put behind unless it has one. `whole`: the protocol never tells
    more than these words, even where they name no version.
    """

    product: str
    says: re.Pattern[str]
    cpe: str | None = None
    os_name: str | None = None
    device_type: str | None = None
    whole: bool = True


def says(pattern: str) -> re.Pattern[str]:
    """A pattern over lines, in whatever case; `{v}` in it stands for a version as programs write them."""
    pattern = pattern.replace("{v}", r"(?P<version>\d[\w.+~-]{0,40})")
    return re.compile(pattern, re.IGNORECASE | re.MULTILINE)


def words_of(data: bytes) -> str:
    """Bytes as text, each line ended by a single line feed, at most 4,096 characters."""
    text = data[: 4 * MAX_WORDS].decode("utf-8", "replace")
    return re.sub(r"\r+\n|\n\r|\r", "\n", text.replace("\0", ""))[:MAX_WORDS]


def find_hostname(text: str | None) -> str | None:
    """A host's name, if that is what stands there."""
    text = (text or "").strip().strip("[]")
    if not _HOSTNAME.fullmatch(text) or text.lower() in _NO_HOSTNAMES:
        return None
    if re.fullmatch(r"[\d.]+", text):  # its address
        return None
    return text.rstrip(".")[:253]


def cpe_of(prefix: str, version: str | None) -> str:
    """A CPE 2.2 URI; the version goes in as far as it is plain, a packager's suffix stays outside.

    A prefix with a version of its own (Exchange's year) is kept as it is.
    """
    if prefix.count(":") > 2:  # noqa: PLR2004 - part, vendor and product
        return f"cpe:/{prefix}"
    plain = _PLAIN_VERSION.match(version or "")
    return f"cpe:/{prefix}:{plain[0].lower()}" if plain else f"cpe:/{prefix}"


def answer_from(
    name: str,
    banner: bytes,
    words: str,
    table: Iterable[Wording],
    *,
    hostname: str | None = None,
    facts: Mapping[str, str] | None = None,
) -> Answer:
    """The Answer of the first wording of a table that is in the words; name, host and facts alone when none is."""
    banner = banner[:MAX_BANNER].rstrip(b"\r\n\0 ")
    kept = dict(facts or {})
    for row in table:
        if found := row.says.search(words):
            break
    else:
        return Answer(name, banner, hostname=find_hostname(hostname), facts=kept)
    groups = {key: value.strip() for key, value in found.groupdict().items() if value and value.strip()}
    version = groups.get("version", "").rstrip(".-") or None
    model = groups.get("model")
    return Answer(
        name,
        banner,
        row.product.replace("{model}", model or "").replace("  ", " "),
        version,
        groups.get("extra"),
        os_name=row.os_name,
        device_type=row.device_type,
        hostname=find_hostname(groups.get("hostname") or hostname),
        model=model,
        cpes=(cpe_of(row.cpe, version),) if row.cpe else (),
        facts=kept,
        complete=row.whole,
    )
