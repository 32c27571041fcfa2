"""Redis and its kin: INFO's server section; who wants a password, or speaks to nobody from outside, says that much."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from netvigil.probing.speak.answer import Answer
from netvigil.probing.speak.protocol import TcpProtocol
from netvigil.probing.speak.tcp.replies import leave
from netvigil.probing.speak.tcp.wording import cpe_of, words_of

if TYPE_CHECKING:
    from netvigil.probing.speak.line import Line

_INFO: Final = b"*2\r\n$4\r\nINFO\r\n$6\r\nserver\r\n"  # RESP, as every client sends it
_QUIT: Final = b"*1\r\n$4\r\nQUIT\r\n"
_MOST: Final = 16 * 1024
_PRODUCT: Final = "Redis key-value store"
# The first is what refuses in Redis alone; the second its answers to a request of HTTP, whose words it takes for commands.
_REFUSAL: Final = re.compile(
    rb"-(?:NOAUTH |DENIED |LOADING |MASTERDOWN |NOPERM )"
    rb"|-ERR (?:wrong number of arguments for 'get' command|unknown command [`']|operation not permitted|Protocol error)"
)
_BULK: Final = re.compile(rb"\$(\d{1,6})\r\n")
_FIELD: Final = re.compile(r"^([a-z_]{1,40}):([^\n]{0,200})$", re.MULTILINE)
_VERSION: Final = re.compile(r"\d[\w.+~-]{0,40}")
_KEPT: Final = ("redis_mode", "os", "arch_bits", "redis_build_id", "executable")
# Kin name the Redis that they are compatible with as redis_version, and their own version beside it.
_KIN: Final = (
    ("valkey_version", "Valkey key-value store", "a:lfprojects:valkey"),
    ("dragonfly_version", "Dragonfly key-value store", "a:dragonflydb:dragonfly"),
)


def recognise(data: bytes) -> bool:
    """Whether an answer to anything is Redis's."""
    return _REFUSAL.match(data) is not None or (
        _BULK.match(data) is not None and b"redis_version:" in data[:400]
    )


async def converse(line: Line, heard: bytes) -> Answer | None:
    """INFO server, QUIT; on a second connection where the first has had words that were not Redis's."""
    second = await line.again() if heard else None
    if heard and second is None:
        return parse(heard)
    speaking = second or line
    try:
        said = await _ask(speaking)
        if said[:1] in {b"$", b"-"}:
            await leave(speaking, _QUIT)
    finally:
        if second is not None:
            second.close()
    return parse(said) or parse(heard)


async def _ask(line: Line) -> bytes:
    if not await line.send(_INFO):
        return b""
    said = await line.read_until(b"\r\n", limit=_MOST)
    if size := _BULK.fullmatch(said):
        # ends with the last byte of the bulk; `read` bounds the time of who drips it
        said += await line.read(limit=min(int(size[1]) + 2, _MOST))
    return said


def parse(said: bytes) -> Answer | None:
    """What INFO says, or the refusal to answer it."""
    if refused := _REFUSAL.match(said):
        first = said[:400].partition(b"\n")[0].strip()
        word = refused[0][1:].split(b" ")[0].decode().lower()
        state = {"noauth": "password", "noperm": "password", "denied": "protected mode"}.get(word, "refused")
        state = "password" if b"operation not permitted" in first else state
        return Answer("redis", first, _PRODUCT, facts={"access": state}, complete=state != "refused")
    bulk = _BULK.match(said)
    fields = dict(_FIELD.findall(words_of(said[bulk.end() :]))) if bulk else {}
    version = fields.get("redis_version", "").strip()
    if not _VERSION.fullmatch(version):
        return None
    facts = {key: fields[key].strip() for key in _KEPT if fields.get(key, "").strip()}
    facts["access"] = "open"
    product, cpe, key = _PRODUCT, "a:redis:redis", "redis_version"
    for own, name, kin in _KIN:
        if _VERSION.fullmatch(stated := fields.get(own, "").strip().removeprefix("df-").removeprefix("v")):
            product, cpe, key = name, kin, own
            facts["compatible_with"], version = f"Redis {version}", stated
    # Without the other fields: what else stands there names other programs.
    banner = f"{key}:{version}\r\nredis_mode:{facts.get('redis_mode', '')}".encode()
    system = facts.get("os", "").split(" ")[0]
    return Answer(
        "redis",
        banner,
        product,
        version,
        os_name=system if system in {"Linux", "FreeBSD", "OpenBSD", "NetBSD", "Windows"} else None,
        cpes=(cpe_of(cpe, version),),
        facts=facts,
        complete=True,
    )


# Anywhere: told "Host:" it hangs up without a word, taking the web request for an attack.
PROTOCOL = TcpProtocol(
    "redis", frozenset({6379, 6380, 16379, 26379}), converse, recognises=recognise, anywhere=True
)
