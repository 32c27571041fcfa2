"""WinBox: RouterOS answers its client's first request, for the list of the client's modules, before any login.

Old routers hold that list in a file `list` (modules `….jg`) or `index` (`….dll`), each module with the router's version.
Since 6.43 a router may refuse the files or be silent; the client then opens the same list by a message (`M2`), whose
answer proves WinBox. The forms are known from public descriptions and from what nmap's own script asks.
"""

from __future__ import annotations

import asyncio
import re
import struct
from typing import TYPE_CHECKING, Final

from netvigil.probing.speak.answer import Answer
from netvigil.probing.speak.protocol import TcpProtocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netvigil.probing.speak.line import Line

# A request for a file: length, 2, its name on eleven bytes, 0, how many bytes (two), from where (four).
_LIST: Final = b"\x12\x02list" + bytes(8) + b"\x00\x80" + bytes(4)
_INDEX: Final = b"\x12\x02index" + bytes(7) + b"\xff\xed" + bytes(4)
# A message: to the file server (2, 2), from us, command 7 (open), an answer wanted, the first request, "list".
_MESSAGE: Final = b"M2" + b"".join(
    (
        b"\x01\x00\xff\x88\x02\x00" + struct.pack("<II", 2, 2),
        b"\x02\x00\xff\x88\x02\x00" + struct.pack("<II", 0, 8),
        b"\x07\x00\xff\x09\x07",
        b"\x05\x00\xff\x01",
        b"\x06\x00\xff\x09\x01",
        b"\x01\x00\x00\x21\x04list",
    )
)
_OPEN: Final = struct.pack(">BBH", len(_MESSAGE) + 2, 1, len(_MESSAGE)) + _MESSAGE

# The answer repeats the name; 1 is content, 2 a refusal. A request sent back at us has 0 there and is none.
_FILE: Final = re.compile(rb"[\x13-\xff]\x02(?:list\0{7,8}|index\0{6,7})([\x01\x02])(..)\0{4}", re.DOTALL)
# The answer to a message: it is for no one in particular, or for us (key ff0001, numbers).
_M2: Final = re.compile(rb"(.)\x01(..)M2\x01\0\xff\x88[\0-\x02]\0", re.DOTALL)
# Between chunks stand the next one's length and ff; the text itself is ASCII.
_CHUNK_MARK: Final = re.compile(rb"\xff\xff|[^\xff]\xff(?!\xff)", re.DOTALL)
_VERSION: Final = r"\d{1,2}\.\d{1,3}(?:\.\d{1,3}){0,2}(?:(?:alpha|beta|rc)\d{1,3})?"
_LISTED: Final = re.compile(rf'name: "([\w.+-]{{1,64}})"[^{{}}]{{0,200}}?version: "({_VERSION})"', re.ASCII)
_INDEXED: Final = re.compile(rf"\b([\w+-]{{1,64}})\.dll ({_VERSION})(?=\s)", re.ASCII)
_PROXY: Final = re.compile(rf"\bmsg-proxy-({_VERSION})(?![\w.])", re.ASCII)

_TRIES: Final = (
    3  # of the first request, with a router that hangs up; it may refuse us, or be short of connections
)
_HEAD: Final = 21  # no answer is shorter
_MAX_BODY: Final = 8 * 1024
_CHUNK: Final = 255
_SECOND_WAIT: Final = 1.0  # seconds: who was silent to one request is not given as long for the next
_PAUSE: Final = 0.5
_ALL: Final = 6.0


def recognise(data: bytes) -> bool:
    """Whether these are the bytes of an answer of WinBox's, to a request for a file or to a message."""
    return _FILE.match(data) is not None or _message_body(data) is not None


def parse(data: bytes) -> Answer | None:
    """What an answer says; an Answer without a version when it only proves WinBox."""
    if file := _FILE.match(data):
        text = _CHUNK_MARK.sub(b"", data[file.end() : file.end() + _MAX_BODY])
        words = text.decode("utf-8", "replace")
        return _answer(text, _version([*_LISTED.findall(words), *_INDEXED.findall(words)]))
    if (body := _message_body(data)) is not None:
        found = _PROXY.search(body.decode("ascii", "replace"))
        return _answer(found[0].encode() if found else b"", found[1] if found else None)
    return None


async def converse(line: Line, heard: bytes) -> Answer | None:
    """Ask as the client does, until a version is told."""
    known = parse(heard)
    try:
        async with asyncio.timeout(_ALL):
            return await _ask_all(line, known)
    except TimeoutError:
        return parse(line.heard) or known


async def _ask_all(line: Line, known: Answer | None) -> Answer | None:
    elsewhere = line.port not in PROTOCOL.ports
    wait = min(line.patience, _SECOND_WAIT) if elsewhere else line.patience
    for request in (_LIST, _OPEN) if elsewhere else (_LIST, _INDEX, _OPEN):
        if known is not None and (known.version or request is _OPEN):
            break
        for _ in range(_TRIES if request is _LIST else 1):
            asked = await line.again() if line.closed else line
            if asked is None:
                return known
            try:
                known = parse(await _ask(asked, request, wait)) or known
            finally:
                if asked is not line:
                    asked.close()
            if asked.heard and known is None:
                return None  # it speaks, and not this
            if asked.heard or (asked is line and not line.closed):
                break  # it takes requests: the same one again would tell nothing more
        wait = min(line.patience, _SECOND_WAIT)
    return known


async def _ask(line: Line, request: bytes, wait: float) -> bytes:
    """The answer as far as its own length says; whatever came when it is none of WinBox's."""
    if not await line.send(request):
        return b""
    head = await line.read_exactly(_HEAD, wait)
    if file := _FILE.match(head):
        size = min(int.from_bytes(file[2], "big"), _MAX_BODY) if file[1] == b"\x01" else 1
        marks = (_HEAD + size) // _CHUNK
        return head + await line.read_exactly(file.end() + size + 2 * marks - len(head), _PAUSE)
    if message := _M2.match(head):
        return head + await line.read_exactly(max(0, message[1][0] + 2 - len(head)), _PAUSE)
    return head


def _message_body(data: bytes) -> bytes | None:
    found = _M2.match(data)
    if found is None:
        return None
    shown, size = found[1][0], int.from_bytes(found[2], "big")
    return data[4 : 4 + min(size, _MAX_BODY)] if shown in (_CHUNK, size + 2) else None


def _version(modules: Iterable[tuple[str, str]]) -> str | None:
    """The version of the system's own module; else the one that all modules have."""
    versions = {name.removesuffix(".jg"): version for name, version in modules}
    if "roteros" in versions:
        return versions["roteros"]
    return versions.popitem()[1] if len(set(versions.values())) == 1 else None


def _answer(banner: bytes, version: str | None) -> Answer:
    # NVD keeps the `beta4` of a version apart, as its update.
    name = re.sub(r"(?<=\d)(?=[a-z])", ":", f":{version}") if version else ""
    return Answer(
        "winbox",
        banner,
        "MikroTik RouterOS" if version else "MikroTik WinBox management console",
        version,
        os_name="RouterOS",
        cpes=(f"cpe:/o:mikrotik:routeros{name}",),
        complete=True,
    )


PROTOCOL = TcpProtocol("winbox", frozenset({8291}), converse, recognises=recognise, anywhere=True)
