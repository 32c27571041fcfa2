"""IKE, the key exchange of IPsec: the first packet of either version, and who answers it (RFC 2408, RFC 7296)."""

from __future__ import annotations

import secrets
import struct
from typing import TYPE_CHECKING, Final

from netvigil.probing.speak.answer import Answer
from netvigil.probing.speak.keyed import KeyedProtocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from ipaddress import IPv4Address

_HEADER: Final = struct.Struct(">8s8sBBBBII")
_PAYLOAD: Final = struct.Struct(">BBH")
_MAX_PAYLOADS: Final = 32
_SA, _VENDOR = 1, 13
_SA_V2, _KE_V2, _NONCE_V2, _VENDOR_V2 = 33, 34, 40, 43
_V1, _V2 = 0x10, 0x20
_MAIN_MODE, _INFORMATIONAL, _SA_INIT, _INFORMATIONAL_V2 = 2, 5, 34, 37
_INITIATOR: Final = 0x08
_GROUP_14_SIZE: Final = 256
# Main mode: encryption, hash, group, key length of what clients offer, with a shared key and eight hours.
_OFFERS: Final = (
    (7, 2, 14, 256),
    (7, 2, 2, 256),
    (7, 2, 2, 128),
    (5, 2, 2, 0),
    (5, 1, 2, 0),
    (7, 4, 14, 256),
)
_EXCHANGES: Final = {
    _MAIN_MODE: "Main Mode",
    _INFORMATIONAL: "Informational",
    _SA_INIT: "IKE_SA_INIT",
    _INFORMATIONAL_V2: "Informational",
}
# MD5 of their makers' words, as these identifiers are made (RFC 2408, 3.16), or what stands for them.
_PRODUCTS: Final = (
    ("882fe56d6fd20dbc2251613b2ebe5beb", "strongSwan ISAKMP"),
    ("7003cbc1097dbe9c2600ba6983bc8b35", "KAME/racoon IKE"),
    ("1e2b516905991c7d7c96fcbfb587e461", "Microsoft Windows ISAKMP"),
)


def request(_: IPv4Address) -> bytes:
    """Version 1's first packet of main mode, with what clients usually offer."""
    body = _security_association()
    head = (secrets.token_bytes(8), bytes(8), _SA, _V1, _MAIN_MODE, 0, 0, _HEADER.size + len(body))
    return _HEADER.pack(*head) + body


def others(_: IPv4Address) -> Sequence[bytes]:
    """Version 2's first packet."""
    # Encryption AES-CBC 256, pseudo-random function and integrity of SHA-256, group 14 (IANA's IKEv2 registry).
    transforms = (
        struct.pack(">BBHBBHHH", 3, 0, 12, 1, 0, 12, 0x800E, 256)
        + struct.pack(">BBHBBH", 3, 0, 8, 2, 0, 5)
        + struct.pack(">BBHBBH", 3, 0, 8, 3, 0, 12)
        + struct.pack(">BBHBBH", 0, 0, 8, 4, 0, 14)
    )
    proposal = struct.pack(">BBHBBBB", 0, 0, 8 + len(transforms), 1, 1, 0, 4) + transforms
    exchange = struct.pack(">HH", 14, 0) + b"\x01" + secrets.token_bytes(_GROUP_14_SIZE - 1)
    body = _payload(_KE_V2, proposal) + _payload(_NONCE_V2, exchange) + _payload(0, secrets.token_bytes(32))
    head = (secrets.token_bytes(8), bytes(8), _SA_V2, _V2, _SA_INIT, _INITIATOR, 0, _HEADER.size + len(body))
    return (_HEADER.pack(*head) + body,)


def key(data: bytes) -> bytes | None:
    """The initiator's cookie, which is ours."""
    return data[:8] if len(data) >= _HEADER.size else None


def parse(data: bytes) -> Answer | None:
    """Which versions are spoken, and by whom, where it says so in a vendor id; a refusal is an answer too."""
    if len(data) < _HEADER.size:
        return None
    _, responder, first, version, exchange, flags, _, length = _HEADER.unpack_from(data)
    if version >> 4 not in {1, 2} or exchange not in _EXCHANGES or not _HEADER.size <= length <= len(data):
        return None
    # Our own packet sent back is none: a responder has a cookie, except where it only refuses.
    if (
        exchange in {_MAIN_MODE, _SA_INIT}
        and not any(responder)
        and (version >> 4 == 1 or flags & _INITIATOR)
    ):
        return None
    vendors = [
        content.hex()
        for kind, content in _read_payloads(data[:length], first)
        if kind in {_VENDOR, _VENDOR_V2}
    ]
    product = next(
        (name for known, name in _PRODUCTS if any(each.startswith(known) for each in vendors)), None
    )
    facts = {f"ike_v{version >> 4}": _EXCHANGES[exchange]}
    if vendors:
        facts["vendor_ids"] = " ".join(vendors)[:1024]
    return Answer(
        "isakmp",
        product=product,
        extra_info=f"IKEv{version >> 4}",
        os_name="Windows" if product and "Windows" in product else None,
        cpes=("cpe:/a:strongswan:strongswan",) if product and product.startswith("strongSwan") else (),
        facts=facts,
        complete=True,
    )


def _security_association() -> bytes:
    transforms = b""
    for number, (cipher, digest, group, bits) in enumerate(_OFFERS, 1):
        attributes = [(1, cipher), (2, digest), (3, 1), (4, group), (11, 1), (12, 28800)]
        attributes += [(14, bits)] if bits else []
        content = b"".join(struct.pack(">HH", 0x8000 | kind, value) for kind, value in attributes)
        last = number == len(_OFFERS)
        transforms += struct.pack(">BBHBBH", 0 if last else 3, 0, 8 + len(content), number, 1, 0) + content
    proposal = struct.pack(">BBHBBBB", 0, 0, 8 + len(transforms), 1, 1, 0, len(_OFFERS)) + transforms
    return _payload(0, struct.pack(">II", 1, 1) + proposal)


def _payload(following: int, content: bytes) -> bytes:
    return _PAYLOAD.pack(following, 0, _PAYLOAD.size + len(content)) + content


def _read_payloads(data: bytes, kind: int) -> Iterator[tuple[int, bytes]]:
    at = _HEADER.size
    for _ in range(_MAX_PAYLOADS):
        if kind == 0 or at + _PAYLOAD.size > len(data):
            return
        following, _, length = _PAYLOAD.unpack_from(data, at)
        if length < _PAYLOAD.size or at + length > len(data):
            return
        yield kind, data[at + _PAYLOAD.size : at + length]
        kind, at = following, at + length


PROTOCOL = KeyedProtocol("isakmp", 500, request, parse, key=key, others=others)
