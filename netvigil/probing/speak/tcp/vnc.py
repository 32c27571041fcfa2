"""VNC (RFC 6143): the server's first twelve bytes tell its protocol. Nothing is sent: servers count those who begin and do not log in as attackers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from netvigil.probing.speak.answer import Answer
from netvigil.probing.speak.protocol import TcpProtocol

if TYPE_CHECKING:
    from netvigil.probing.speak.line import Line

_GREETING: Final = re.compile(rb"RFB (\d{3})\.(\d{3})\n")
_LENGTH: Final = 12
# Numbers that no standard has and that one program each uses.
_OWN_NUMBERS: Final = {
    (3, 889): ("Apple remote desktop vnc", "macOS"),
    (4, 0): ("RealVNC Personal", None),
    (4, 1): ("RealVNC Enterprise", None),
    (5, 0): ("RealVNC Enterprise", None),
    (0, 0): ("Ultr@VNC Repeater", None),
}


def recognise(data: bytes) -> bool:
    """Whether a greeting is VNC's."""
    return _GREETING.match(data) is not None


async def converse(line: Line, heard: bytes) -> Answer | None:
    """The greeting, read to its end."""
    if len(heard) < _LENGTH:
        heard += await line.read(limit=_LENGTH - len(heard))
    return parse(heard)


def parse(heard: bytes) -> Answer | None:
    """What a greeting says: protocol 3.8 is all that most programs tell."""
    found = _GREETING.match(heard)
    if found is None:
        return None
    number = int(found[1]), int(found[2])
    protocol = f"{number[0]}.{number[1]}"
    product, system = _OWN_NUMBERS.get(number, ("VNC", None))
    extra = f"protocol {protocol}"
    if b"Too many" in heard[_LENGTH : _LENGTH + 200]:
        extra += "; Locked out"
    return Answer(
        "vnc",
        found[0].rstrip(),
        product,
        extra_info=extra,
        os_name=system,
        facts={"protocol": protocol},
        complete=True,
    )


PROTOCOL = TcpProtocol("vnc", frozenset(range(5900, 5911)), converse, greets=True, recognises=recognise)
