"""AJP 1.3, which Tomcat and its kin speak with a web server before them: are you there?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netvigil.probing.speak.answer import Answer
from netvigil.probing.speak.exchange import read_bytes
from netvigil.probing.speak.protocol import TcpProtocol

if TYPE_CHECKING:
    from netvigil.probing.speak.line import Line

_PING = b"\x12\x34\0\x01\x0a"
_PONG = b"AB\0\x01\x09"


def recognise(data: bytes) -> bool:
    """Whether bytes are the answer to a ping."""
    return data == _PONG


async def converse(line: Line, heard: bytes) -> Answer | None:
    """Ping, as web servers do before each request."""
    if not recognise(heard):
        heard = await read_bytes(line, len(_PONG)) if await line.send(_PING) else b""
    return parse(heard)


def parse(said: bytes) -> Answer | None:
    """A pong, and nothing more, tells that somebody is there."""
    if not recognise(said):
        return None
    return Answer(
        "ajp13", product="Apache Jserv", extra_info="Protocol v1.3", facts={"protocol": "1.3"}, complete=True
    )


PROTOCOL = TcpProtocol("ajp13", frozenset({8009}), converse, recognises=recognise)
