"""RouterOS' bandwidth test: the server opens with a word of four bytes, which is all that is wanted of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netvigil.probing.speak.answer import Answer
from netvigil.probing.speak.protocol import TcpProtocol

if TYPE_CHECKING:
    from netvigil.probing.speak.line import Line

_HELLO: Final = b"\x01\x00\x00\x00"


def recognise(data: bytes) -> bool:
    """Whether a server opened with exactly the hello of the bandwidth test."""
    return data == _HELLO


def parse(data: bytes) -> Answer | None:
    """What the hello says: that there is a bandwidth test, on a RouterOS whose version it does not tell."""
    if not recognise(data):
        return None
    return Answer(
        "bandwidth-test",
        data,
        "MikroTik bandwidth-test server",
        os_name="RouterOS",
        cpes=("cpe:/o:mikrotik:routeros",),
        complete=True,
    )


async def converse(line: Line, heard: bytes) -> Answer | None:
    """Nothing is sent: the client's next word would start a test."""
    while heard and len(heard) < len(_HELLO) and _HELLO.startswith(heard):
        more = await line.read_exactly(len(_HELLO) - len(heard), 0.5)
        if not more:
            break
        heard += more
    return parse(heard)


PROTOCOL = TcpProtocol("bandwidth-test", frozenset({2000}), converse, greets=True, recognises=recognise)
