"""Greeters that speak binary or framed protocols: Redis, MySQL, and DNS over TCP."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netvigil.lab.conversation import Conversation, Greeter

_CHAOS_TXT = struct.pack(">HH", 16, 3)
_VERSION_BIND = b"\x07version\x04bind\x00"
_DNS_HEADER = struct.Struct(">HHHHHH")
_DNS_LENGTH = 2
_LONGEST_QUERY = 1024
_REFUSED = 0x8185
_ANSWERED = 0x8580


def redis(version: str) -> Greeter:
    """A Redis without a password that knows INFO, PING and QUIT only (RESP protocol)."""
    info = (
        f"# Server\r\nredis_version:{version}\r\nredis_git_sha1:00000000\r\nredis_mode:standalone\r\n"
        "os:Linux 4.19.0 x86_64\r\narch_bits:64\r\nprocess_id:611\r\ntcp_port:6379\r\n"
    ).encode()

    async def greet(talk: Conversation) -> None:
        while request := await talk.hear():
            words = request.lower().split()
            if b"info" in words:
                await talk.say(b"$%d\r\n%s\r\n" % (len(info), info))
            elif b"ping" in words:
                await talk.say(b"+PONG\r\n")
            elif b"quit" in words:
                await talk.say(b"+OK\r\n")
                return
            elif words[:1] == [b"get"]:  # an HTTP request looks like a GET with too many arguments
                await talk.say(b"-ERR wrong number of arguments for 'get' command\r\n")
            else:
                await talk.say(b"-ERR unknown command\r\n")

    return greet


def mysql(version: str) -> Greeter:
    """A MySQL server up to its handshake (protocol version 10); every login is refused."""
    first = b"\x0a" + version.encode() + b"\0" + struct.pack("<I", 42) + b"labsalt1\0"
    payload = first + struct.pack("<HBHH", 0xF7FF, 8, 2, 0x800F) + b"\x15" + bytes(10) + b"labsalt2salt\0"
    refusal = b"\xff" + struct.pack("<H", 1045) + b"#28000Access denied"

    async def greet(talk: Conversation) -> None:
        await talk.say(_mysql_packet(0, payload))
        if await talk.hear():
            await talk.say(_mysql_packet(2, refusal))

    return greet


def dns(software: str) -> Greeter:
    """A resolver on TCP that names its software when asked for version.bind and refuses all else (RFC 1035)."""

    async def greet(talk: Conversation) -> None:
        while query := await _dns_message(talk):
            await talk.say(_dns_answer(query, software.encode()))

    return greet


def _mysql_packet(number: int, payload: bytes) -> bytes:
    return struct.pack("<I", len(payload))[:3] + bytes([number]) + payload


async def _dns_message(talk: Conversation) -> bytes:
    """The next message without its length; empty when the client is done or sends no DNS."""
    data = b""
    expected = _DNS_LENGTH
    while len(data) < expected:
        more = await talk.hear()
        data += more
        if len(data) >= _DNS_LENGTH:
            expected = _DNS_LENGTH + int.from_bytes(data[:_DNS_LENGTH], "big")
        if not more or expected > _LONGEST_QUERY:
            return b""
    message = data[_DNS_LENGTH:]
    return message if len(message) >= _DNS_HEADER.size else b""


def _dns_answer(query: bytes, software: bytes) -> bytes:
    number = int.from_bytes(query[:2], "big")
    question = _VERSION_BIND + _CHAOS_TXT
    if query[_DNS_HEADER.size :].lower().startswith(question):
        text = bytes([len(software)]) + software
        record = b"\xc0\x0c" + _CHAOS_TXT + struct.pack(">IH", 0, len(text)) + text
        message = _DNS_HEADER.pack(number, _ANSWERED, 1, 1, 0, 0) + question + record
    else:
        message = _DNS_HEADER.pack(number, _REFUSED, 0, 0, 0, 0)
    return struct.pack(">H", len(message)) + message
