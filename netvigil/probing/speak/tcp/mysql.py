"""MySQL, MariaDB and their kin: the server's first packet states its version, and nothing needs to be asked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from netvigil.probing.speak.answer import Answer
from netvigil.probing.speak.exchange import read_bytes, read_message
from netvigil.probing.speak.protocol import TcpProtocol
from netvigil.probing.speak.reader import Reader, ShortError, text

if TYPE_CHECKING:
    from netvigil.probing.speak.line import Line

_HEAD = 4  # a packet's length in three bytes, and its number
_MAX_PACKET = 4096
_ERROR = 0xFF
_TLS = 0x0800  # of the capabilities
_PROTOCOLS = (9, 10)
_MIN_ERROR, _MAX_ERROR = 1000, 9999  # the server's own error numbers
_VERSION = re.compile(rb"\d{1,3}\.\d{1,3}[ -~]{0,100}")
# MariaDB puts the last MySQL version that old clients accept before its own.
_PREFIX = re.compile(r"^5\.5\.5-(?=\d+\.\d+\.\d+-MariaDB)", re.IGNORECASE)
_TIDB = re.compile(r"-TiDB-v?(\d[\w.-]*)")
# Percona adds its own release to MySQL's version, and nothing else: 8.0.35-27, 5.6.51-91.0-log.
_PERCONA = re.compile(r"^(\d+\.\d+\.\d+)-([1-9]\d{0,2}(?:\.\d+)?)(?:-\d+)?(?:-log|-debug)?$")
_X_PROTOCOL = b"\x05\0\0\0\x0b\x08\x05\x1a\0"  # a notice of MySQL's X protocol, which greets on 33060
_REFUSALS = (
    (1040, "Too many connections"),
    (1129, "blocked - too many connection errors"),
    (1130, "unauthorized"),
)


def recognise(data: bytes) -> bool:
    """Whether a server's first bytes are a greeting, an error packet or the X protocol's notice."""
    return parse(data) is not None


async def converse(line: Line, heard: bytes) -> Answer | None:
    """The greeting, read to its end.

    Nothing is sent: a client ends a session with COM_QUIT, but before a login the server takes any packet for one.
    """
    if not heard:
        heard = await read_message(line, _HEAD, lambda head: int.from_bytes(head[:3], "little"))
    elif (missing := _missing(heard)) > 0:
        heard += await read_bytes(line, missing)
    return parse(heard)


def parse(heard: bytes) -> Answer | None:
    """What a server's first packet says (MySQL's and MariaDB's client/server protocol: HandshakeV10, ERR_Packet)."""
    if heard.startswith(_X_PROTOCOL):
        return Answer("mysqlx", heard[:64], "MySQL X Protocol", facts={"protocol": "x"})
    if len(heard) <= _HEAD or heard[3] not in (0, 1):
        return None
    length = int.from_bytes(heard[:3], "little")
    if not 3 < length <= _MAX_PACKET:  # noqa: PLR2004 - an error's marker and number
        return None
    packet = heard[_HEAD : _HEAD + length]
    return _refusal(packet) if packet[0] == _ERROR else _greeting(packet)


def _missing(heard: bytes) -> int:
    if len(heard) < _HEAD:
        return 0
    length = int.from_bytes(heard[:3], "little")
    return _HEAD + length - len(heard) if length <= _MAX_PACKET else 0


def _greeting(packet: bytes) -> Answer | None:
    words, end, rest = packet[1:].partition(b"\0")
    if packet[0] not in _PROTOCOLS or not end or not _VERSION.fullmatch(words):
        return None
    facts = {"protocol": str(packet[0])}
    reader = Reader(rest, 0, "little")
    try:
        reader.skip(4 + 8 + 1)  # thread, start of the salt, a zero
        facts["tls"] = "yes" if reader.number(2) & _TLS else "no"
        reader.skip(
            1 + 2 + 2 + 1 + 10 + 13
        )  # character set, status, capabilities, length of the salt, zeros, salt
    except ShortError:  # servers of long ago stop there
        return _named(words.decode("ascii").strip(), facts)
    if plugin := text(rest[reader.at :], 64):
        facts["authentication"] = plugin
    return _named(words.decode("ascii").strip(), facts)


def _named(stated: str, facts: dict[str, str]) -> Answer:
    shown = _PREFIX.sub("", stated)
    product, version = "MySQL", shown
    cpes: tuple[str, ...] = ("cpe:/a:mysql:mysql",)
    if "mariadb" in stated.lower():
        product, cpes = "MariaDB", ("cpe:/a:mariadb:mariadb",)
    elif found := _TIDB.search(stated):
        product, version, cpes = "TiDB", found[1], ("cpe:/a:pingcap:tidb",)
    elif found := _PERCONA.match(stated):
        product = "Percona Server"
        cpes = (f"cpe:/a:percona:percona_server:{found[1]}-{found[2]}", f"cpe:/a:mysql:mysql:{found[1]}")
    elif "vitess" in stated.lower():
        product, cpes = "Vitess", ()
    if shown != stated:
        facts["stated_version"] = stated
    return Answer(
        "mysql", f"{product} {shown}".encode(), product, version, cpes=cpes, facts=facts, complete=True
    )


def _refusal(packet: bytes) -> Answer | None:
    number = int.from_bytes(packet[1:3], "little")
    words = text(packet[3:], 512)
    if not (_MIN_ERROR <= number <= _MAX_ERROR and words.isprintable() and words):
        return None
    product = "MariaDB" if "MariaDB" in words else "MySQL" if "MySQL" in words else None
    cpe = {"MariaDB": "cpe:/a:mariadb:mariadb", "MySQL": "cpe:/a:mysql:mysql"}.get(product or "")
    return Answer(
        "mysql",
        words.encode(),
        product,
        extra_info=dict(_REFUSALS).get(number),
        cpes=(cpe,) if cpe else (),
        facts={"error": str(number), "message": words},
        complete=True,
    )


PROTOCOL = TcpProtocol("mysql", frozenset({3306, 3307, 33060}), converse, greets=True, recognises=recognise)
