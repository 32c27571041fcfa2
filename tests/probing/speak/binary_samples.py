"""Answers of binary protocols as servers send them, built field by field; several tests start from them."""

from __future__ import annotations

import asyncio
import struct

from netvigil.probing.speak.ber import OCTET_STRING, SEQUENCE, encode, encode_integer
from netvigil.probing.speak.windows import SIGNATURE


async def sent_to(bench, port: int, end: bytes, connection: int = 0) -> bytes:
    """What a scripted server was sent, once that ends as it should; a second is more than loopback takes."""
    for _ in range(100):
        if bench.received[port][connection].endswith(end):
            break
        await asyncio.sleep(0.01)
    return bench.received[port][connection]


def mysql_greeting(version: bytes, plugin: bytes = b"mysql_native_password") -> bytes:
    body = (
        b"\x0a"
        + version
        + b"\0"
        + struct.pack("<I", 77)
        + b"abcdefgh\0"
        + b"\xff\xff\x08\x02\0"
        + b"\xff\xc1\x15"
    )
    body += bytes(10) + b"ijklmnopqrst\0" + plugin + b"\0"
    return len(body).to_bytes(3, "little") + b"\0" + body


def mysql_error(number: int, words: bytes) -> bytes:
    body = b"\xff" + struct.pack("<H", number) + words
    return len(body).to_bytes(3, "little") + b"\0" + body


def postgresql_error(**fields: str) -> bytes:
    body = b"".join(key.encode() + value.encode() + b"\0" for key, value in fields.items()) + b"\0"
    return b"E" + struct.pack(">I", 4 + len(body)) + body


def postgresql_message(letter: bytes, body: bytes) -> bytes:
    return letter + struct.pack(">I", 4 + len(body)) + body


SCRAM = postgresql_message(b"R", struct.pack(">I", 10) + b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0")
TRUSTED = postgresql_message(b"R", struct.pack(">I", 0))
SERVER_VERSION = postgresql_message(b"S", b"server_version\x0015.20 (Debian 15.20-0+deb12u1)\0")
NO_ENTRY = postgresql_error(
    S="FATAL",
    V="FATAL",
    C="28000",
    M='no pg_hba.conf entry for host "192.0.2.9", user "postgres", database "postgres", no encryption',
    F="auth.c",
    L="543",
    R="ClientAuthentication",
)


def mqtt_publish(topic: bytes, payload: bytes) -> bytes:
    body = struct.pack(">H", len(topic)) + topic + payload
    return b"\x31" + bytes([len(body)]) + body


def bson(**fields: object) -> bytes:
    body = b""
    for name, value in fields.items():
        key = name.encode() + b"\0"
        if isinstance(value, bool):
            body += b"\x08" + key + bytes([value])
        elif isinstance(value, int):
            body += b"\x10" + key + struct.pack("<i", value)
        elif isinstance(value, float):
            body += b"\x01" + key + struct.pack("<d", value)
        elif isinstance(value, bytes):  # an embedded document, ready made
            body += b"\x03" + key + value
        else:
            words = str(value).encode() + b"\0"
            body += b"\x02" + key + struct.pack("<i", len(words)) + words
    return struct.pack("<i", len(body) + 5) + body + b"\0"


def mongodb_reply(document: bytes, *, modern: bool = False) -> bytes:
    body = struct.pack("<I", 0) + b"\0" + document if modern else struct.pack("<iqii", 8, 0, 0, 1) + document
    return struct.pack("<4i", 16 + len(body), 9, 1, 2013 if modern else 1) + body


def ldap_entry(**attributes: list[str]) -> bytes:
    lines = b"".join(
        encode(
            SEQUENCE,
            encode(OCTET_STRING, name.encode())
            + encode(0x31, b"".join(encode(OCTET_STRING, value.encode()) for value in values)),
        )
        for name, values in attributes.items()
    )
    return encode(
        SEQUENCE, encode_integer(1) + encode(0x64, encode(OCTET_STRING, b"") + encode(SEQUENCE, lines))
    )


def ldap_done(code: int = 0, words: bytes = b"") -> bytes:
    result = encode(0x0A, bytes([code])) + encode(OCTET_STRING, b"") + encode(OCTET_STRING, words)
    return encode(SEQUENCE, encode_integer(1) + encode(0x65, result))


def rdp_confirm(kind: int = 2, value: int = 2, reference: int = 0x1234) -> bytes:
    return (
        b"\x03\0\0\x13\x0e\xd0\0\0"
        + struct.pack(">H", reference)
        + b"\0"
        + struct.pack("<BBHI", kind, 0x1F, 8, value)
    )


def challenge(version: tuple[int, int, int] | None = (10, 0, 17763), **names: str) -> bytes:
    """NTLM's second message; `names` by their numbers' words."""
    numbers = {"netbios": 1, "domain": 2, "dns": 3, "dns_domain": 4}
    info = b""
    for name, value in names.items():
        words = value.encode("utf-16-le")
        info += struct.pack("<2H", numbers[name], len(words)) + words
    info += bytes(4)
    target = "TARGET".encode("utf-16-le")
    flags = 0xE2898215 if version else 0xE0898215
    head = SIGNATURE + struct.pack("<I2HII", 2, len(target), len(target), 56, flags) + b"challeng" + bytes(8)
    head += struct.pack("<2HI", len(info), len(info), 56 + len(target))
    head += struct.pack("<2BH", *version) + b"\0\0\0\x0f" if version else bytes(8)
    return head + target + info


def _smb2(command: int, status: int, body: bytes) -> bytes:
    head = (
        b"\xfeSMB"
        + struct.pack("<2HI2HIIQIIQ", 64, 0, status, command, 1, 1, 0, command, 0, 0, 0)
        + bytes(16)
    )
    return struct.pack(">I", len(head + body)) + head + body


def smb2_negotiated(dialect: int = 0x0311, security: int = 1, boot: int = 0) -> bytes:
    now = 133_000_000_000_000_000  # in 2022
    body = (
        struct.pack("<4H", 65, security, dialect, 0)
        + b"G" * 16
        + struct.pack("<4I2Q", 0x2F, *[1 << 20] * 3, now, boot)
    )
    return _smb2(0, 0, body + struct.pack("<2HI", 128, 0, 0))


def smb2_challenge(token: bytes) -> bytes:
    return _smb2(1, 0xC0000016, struct.pack("<4H", 9, 0, 72, len(token)) + token)


def _smb1(command: int, status: int, words: bytes, data: bytes, session: int = 0) -> bytes:
    head = b"\xffSMB" + struct.pack(
        "<BIBHH8sHHHHH", command, status, 0x98, 0xC801, 0, bytes(8), 0, 0, 1, session, 1
    )
    body = bytes([len(words) // 2]) + words + struct.pack("<H", len(data)) + data
    return struct.pack(">I", len(head + body)) + head + body


def smb1_negotiated(*, extended: bool = True) -> bytes:
    capabilities = 0x8000F3FC if extended else 0x0000F3FC
    words = struct.pack("<HB2H4IQhB", 0, 3, 50, 1, 16644, 65536, 0, capabilities, 0, 0, 0 if extended else 8)
    names = "WORKGROUP\0PRINTER\0".encode("utf-16-le")
    return _smb1(0x72, 0, words, bytes(16) if extended else b"c" * 8 + names)


def smb1_named(system: str, program: str, domain: str, token: bytes | None = b"") -> bytes:
    """The answer to a session's start: with a token for more, without (None) with a session."""
    strings = f"{system}\0{program}\0{domain}\0".encode("utf-16-le")
    words = struct.pack("<BBHH", 0xFF, 0, 0, 0)
    if token is None:
        return _smb1(0x73, 0, words, b"\0" + strings, 2048)  # 36 + 1 + 6 + 2 is odd
    words += struct.pack("<H", len(token))
    pad = bytes((36 - 4 + 1 + 8 + 2 + len(token)) % 2)
    return _smb1(0x73, 0xC0000016, words, token + pad + strings, 2048)


def amqp_start(**properties: str) -> bytes:
    table = b"\x0ccapabilitiesF" + struct.pack(">I", 5) + b"\x02okt\x01"
    for name, value in properties.items():
        table += bytes([len(name)]) + name.encode() + b"S" + struct.pack(">I", len(value)) + value.encode()
    body = b"\0\x0a\0\x0a\0\x09" + struct.pack(">I", len(table)) + table
    body += struct.pack(">I", 14) + b"PLAIN AMQPLAIN" + struct.pack(">I", 5) + b"en_US"
    return b"\x01\0\0" + struct.pack(">I", len(body)) + body + b"\xce"


def prelogin(version: bytes) -> bytes:
    body = b"\0\0\x0b\0\x06\x01\0\x11\0\x01\xff" + version + b"\x02"
    return b"\x04\x01" + struct.pack(">H", 8 + len(body)) + bytes(4) + body


def pptp_reply(vendor: bytes, host: bytes, result: int = 1) -> bytes:
    head = struct.pack(">2HI2H", 156, 1, 0x1A2B3C4D, 2, 0) + struct.pack(
        ">H2BII2H", 0x0100, result, 0, 3, 3, 0, 1
    )
    return head + host.ljust(64, b"\0") + vendor.ljust(64, b"\0")


def rpc_reply(number: int, *programs: tuple[int, int, int, int], status: int = 0) -> bytes:
    body = struct.pack(">6I", number, 1, 0, 0, 0, status)
    body += b"".join(struct.pack(">5I", 1, *program) for program in programs) + bytes(4)
    return struct.pack(">I", 0x80000000 | len(body)) + body


BIND_NAK = b"\x05\0\x0d\x03\x10\0\0\0\x18\0\0\0\x76\x07\0\0\x04\0\x01\x05\0\0\0\0"
