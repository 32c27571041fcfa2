"""What a MikroTik router says on its own ports: web page, telnet, WinBox and API."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from netvigil.lab.banner import banner
from netvigil.lab.http import Website, website

if TYPE_CHECKING:
    from netvigil.lab.conversation import Conversation, Greeter

_TELNET_OPTIONS = bytes.fromhex(
    "fffb01 fffd18 fffd1f fffd27"
)  # will echo, do terminal type, window size, environ

# One M2 message as WinBox wraps them: length, type, length, "M2", then reply and error fields.
_WINBOX_REPLY = bytes.fromhex("30 01 00 2e 4d32 0100ff8800000200ff880200") + bytes(32)

_PAGE = (
    '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">\n'
    "<html>\n<head><title>RouterOS router configuration page</title></head>\n<body>\n"
    "<h1>RouterOS v{version}</h1>\n<p>Sign in to configure this router.</p>\n</body>\n</html>\n"
)
_PACKAGES = ("advtool", "dhcp", "hotspot", "ppp", "roteros", "secure")


def web(version: str) -> Greeter:
    """WebFig's first page and its package list, both of which name the version without a login."""
    site = Website(
        headers=("Cache-Control: max-age=0", "Connection: close", "Content-Length: {length}",
                 "Content-Type: text/html", "Date: {date}", "Expires: 0"),
        pages={"/": _PAGE.format(version=version), "/webfig/list": _package_list(version)},
        http="1.0",
    )  # fmt: skip
    return website(site)


def telnet(version: str, channel: str) -> Greeter:
    """The login prompt, which names version and channel; every password is wrong."""
    prompt = _TELNET_OPTIONS + f"\rMikroTik v{version} ({channel})\r\nLogin: ".encode()
    return banner(
        lambda: prompt,
        (("", b"\r\nPassword: \r\nLogin failed, incorrect username or password\r\n\r\nLogin: "),),
    )


def winbox(version: str) -> Greeter:
    """Answers the file list that old releases gave away before any login, and nmap's probe; else hangs up."""

    async def greet(talk: Conversation) -> None:
        while request := await talk.hear():
            if request[1:6] == b"\x02list":
                await talk.say(_winbox_file(b"list", _package_list(version).encode()))
            elif request.startswith(b"\0Z"):
                await talk.say(_WINBOX_REPLY)
            else:
                return

    return greet


async def api(talk: Conversation) -> None:
    """Refuses whatever is not a login, in the API's length-prefixed words, and hangs up."""
    if await talk.hear():
        await talk.say(b"\x06!fatal\x0dnot logged in\x00")


def _package_list(version: str) -> str:
    entries = (
        f'{{ crc: {7919 * n}, size: {4001 + n}, name: "{package}.jg", unique: "{package}-{7919 * n:08x}.jg", '
        f'version: "{version}" }}'
        for n, package in enumerate(_PACKAGES, start=3)
    )
    return ",\n".join(entries) + "\n"


def _winbox_file(name: bytes, text: bytes) -> bytes:
    """A file as WinBox sends it: the first piece is marked 0x02, all following ones 0xff, each with its length."""
    blob = name.ljust(12, b"\0") + struct.pack("<BxHxxxx", 1, 128) + text
    pieces = [blob[:255], *(blob[n : n + 255] for n in range(255, len(blob), 255))]
    marks = [b"\x02", *[b"\xff"] * (len(pieces) - 1)]
    return b"".join(bytes([len(piece)]) + mark + piece for mark, piece in zip(marks, pieces, strict=True))
