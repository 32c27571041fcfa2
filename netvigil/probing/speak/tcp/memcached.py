"""memcached's text protocol: `version`, then `quit`; nothing stored is read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from netvigil.probing.speak.answer import Answer
from netvigil.probing.speak.protocol import TcpProtocol
from netvigil.probing.speak.tcp.wording import cpe_of

if TYPE_CHECKING:
    from netvigil.probing.speak.line import Line

_VERSION: Final = re.compile(rb"VERSION (\d[\w.+~-]{0,40})(?: (Ubuntu|Debian))?[ \r]*\n")
_REFUSED: Final = re.compile(rb"CLIENT_ERROR unauthenticated")
_MOST: Final = 1024


def recognise(data: bytes) -> bool:
    """Whether an answer is memcached's; its plain ERROR is many another's too."""
    return _VERSION.match(data) is not None or _REFUSED.match(data) is not None


async def converse(line: Line, heard: bytes) -> Answer | None:
    """Ask for the version, and quit, which has no answer."""
    if recognise(heard):
        return parse(heard)
    if not await line.send(b"version\r\n"):
        return None
    said = await line.read_until(b"\n", limit=_MOST)
    answer = parse(said)
    if answer is not None:
        await line.send(b"quit\r\n")
    return answer


def parse(said: bytes) -> Answer | None:
    """What the answer to `version` says."""
    if found := _VERSION.match(said):
        version = found[1].decode("utf-8", "replace")
        packager = found[2].decode() if found[2] else None
        return Answer(
            "memcached",
            found[0].strip(),
            "Memcached",
            version,
            packager,
            os_name="Linux" if packager else None,
            cpes=(cpe_of("a:memcached:memcached", version),),
            facts={"access": "open"},
            complete=True,
        )
    if _REFUSED.match(said):
        return Answer(
            "memcached", said[:200].strip(), "Memcached", facts={"access": "password"}, complete=True
        )
    return None


PROTOCOL = TcpProtocol("memcached", frozenset({11211}), converse, recognises=recognise, anywhere=True)
