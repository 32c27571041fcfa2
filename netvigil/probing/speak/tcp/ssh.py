"""SSH: the server names itself in its first line (RFC 4253, 4.2), and nothing needs to be asked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from netvigil.probing.speak.answer import Answer
from netvigil.probing.speak.protocol import TcpProtocol

if TYPE_CHECKING:
    from netvigil.probing.speak.line import Line

_IDENTIFICATION = re.compile(rb"^SSH-(\d\.\d{1,3})-([^\r\n]{0,253})", re.MULTILINE)
# What follows in the software version: the product, then its version, then a comment with the distribution's package.
_SOFTWARE = (
    ("OpenSSH", re.compile(r"OpenSSH_(?:for_Windows_)?([\w.]+)(?:[ -](.+))?")),
    ("Dropbear sshd", re.compile(r"dropbear_([\w.]+)(.*)")),
    ("libssh", re.compile(r"libssh[_-]([\w.]+)(.*)")),
    ("Cisco SSH", re.compile(r"Cisco-([\d.]+)(.*)")),
    ("MikroTik RouterOS sshd", re.compile(r"ROSSSH()(.*)")),
)


def recognise(data: bytes) -> bool:
    """Whether a server's first bytes hold an identification; lines of text may stand before it."""
    return _IDENTIFICATION.search(data) is not None


async def converse(line: Line, heard: bytes) -> Answer | None:
    """The identification, read to its end; nothing is sent."""
    while heard and not recognise(heard) and not line.closed and len(heard) < 4096:  # noqa: PLR2004 - lines before it
        more = await line.read_until(b"\n")
        if not more:
            break
        heard += more
    return parse(heard)


def parse(heard: bytes) -> Answer | None:
    """What an identification says."""
    found = _IDENTIFICATION.search(heard)
    if found is None:
        return None
    protocol, software = found[1].decode("ascii"), found[2].decode("utf-8", "replace").strip()
    facts = {"protocol": protocol, "software": software}
    for product, pattern in _SOFTWARE:
        if named := pattern.match(software):
            version, comment = named[1] or None, (named[2] or "").strip()
            if version and comment.startswith(("Debian-", "Ubuntu-", "Raspbian-")):
                # nmap's form, which users know: the hyphen of the comment becomes a space.
                version = f"{version} {comment.replace('-', ' ', 1)}"
            return Answer(
                "ssh",
                found[0],
                product,
                version,
                f"protocol {protocol}",
                os_name="RouterOS" if product.startswith("MikroTik") else _system(comment),
                facts=facts,
                complete=True,
            )
    return Answer("ssh", found[0], extra_info=f"protocol {protocol}", facts=facts)


def _system(comment: str) -> str | None:
    if comment.startswith(("Debian", "Ubuntu", "Raspbian")):
        return "Linux"
    return "FreeBSD" if comment.startswith("FreeBSD") else None


PROTOCOL = TcpProtocol("ssh", frozenset({22, 2222, 50022}), converse, greets=True, recognises=recognise)
