"""rsync's daemon: it names its protocol in its first line, and nothing is sent; its modules are not listed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from netvigil.probing.speak.answer import Answer
from netvigil.probing.speak.protocol import TcpProtocol

if TYPE_CHECKING:
    from netvigil.probing.speak.line import Line

_GREETING: Final = re.compile(rb"@RSYNCD: (\d{1,3}(?:\.\d{1,3})?)((?: [a-z0-9]{1,20}){0,20})[ \r]*(?:\n|\Z)")
_MOST: Final = 1024


def recognise(data: bytes) -> bool:
    """Whether a greeting is rsync's."""
    return _GREETING.match(data) is not None


async def converse(line: Line, heard: bytes) -> Answer | None:
    """The greeting, read to its end."""
    if b"\n" not in heard:
        heard += await line.read_until(b"\n", limit=_MOST)
    return parse(heard)


def parse(heard: bytes) -> Answer | None:
    """What a greeting says: the protocol's version and, since 3.2.7, its digests. The program's version is not in it."""
    found = _GREETING.match(heard)
    if found is None:
        return None
    protocol = found[1].decode()
    facts = {"protocol": protocol}
    if found[2]:
        facts["digests"] = found[2].decode().strip()
    return Answer(
        "rsync", found[0].strip(), extra_info=f"protocol version {protocol}", facts=facts, complete=True
    )


PROTOCOL = TcpProtocol("rsync", frozenset({873}), converse, greets=True, recognises=recognise)
