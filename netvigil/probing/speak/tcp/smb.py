"""Windows' file sharing (SMB): dialect, signing, and the names and versions that a server shows before anybody logs in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from uuid import uuid4

from netvigil.probing.speak import smb1, smb2
from netvigil.probing.speak.answer import Answer
from netvigil.probing.speak.exchange import ask_message
from netvigil.probing.speak.protocol import TcpProtocol

if TYPE_CHECKING:
    from netvigil.probing.speak.line import Line
    from netvigil.probing.speak.windows import Challenge

_NETBIOS_PORT = 139
_SAMBA = re.compile(r"Samba (?:Version )?(\d[\w.+~-]{0,60})", re.IGNORECASE)
_SESSION_POSITIVE = 0x82
_FRAME_HEAD = 4


def _netbios_name(name: bytes, kind: int) -> bytes:
    """A name as the NetBIOS session service writes it: half bytes as letters (RFC 1001, 14.1)."""
    padded = name.ljust(15) + bytes([kind])
    return b"\x20" + bytes(0x41 + half for byte in padded for half in (byte >> 4, byte & 15)) + b"\0"


_NAMES = _netbios_name(b"*SMBSERVER", 0x20) + _netbios_name(b"NETVIGIL", 0)
_SESSION_REQUEST = b"\x81\0" + len(_NAMES).to_bytes(2, "big") + _NAMES


def recognise(data: bytes) -> bool:
    """Whether bytes are a server's message of any SMB."""
    return smb1.is_message(data) or smb2.is_message(data)


async def converse(line: Line, heard: bytes) -> Answer | None:
    """Negotiate SMB 2 or 3 and ask for NTLM's challenge; then the same in SMB 1, whose answer names the program.

    Both end there: no name and no password follows, so that nobody is logged in and no attempt is counted. A server
    of SMB 1 that knows no NTLM gets a session of nobody, the one way in which it names itself, and a logoff.
    """
    known = Answer(_plain_name(line.port)) if recognise(heard) else None
    first = line if not heard else await line.again()
    modern, challenge = await _modern(first) if first is not None else (None, None)
    if first is not None and first is not line:
        first.close()
    if modern is None and known is None and line.port not in PROTOCOL.ports:
        return None  # on a foreign port nobody is asked twice
    old, named = None, None
    second = await line.again()
    if second is not None:
        try:
            old, named = await _old(second)
        finally:
            second.close()
    if modern is None and old is None:
        return known
    return describe(line.port, modern, challenge, old, named)


async def _modern(line: Line) -> tuple[smb2.Negotiated | None, Challenge | None]:
    if not await _open_session(line):
        return None, None
    request = smb2.negotiate_request(uuid4())
    negotiated = smb2.parse_negotiated(await _ask(line, request))
    if negotiated is None:
        return None, None
    return negotiated, smb2.parse_challenge(await _ask(line, smb2.session_request()))


async def _old(line: Line) -> tuple[smb1.Negotiated | None, smb1.Named | None]:
    if not await _open_session(line):
        return None, None
    negotiated = smb1.parse_negotiated(await _ask(line, smb1.negotiate_request()))
    if negotiated is None:
        return None, None
    named = smb1.parse_named(await _ask(line, smb1.session_request(negotiated)))
    if named is not None and named.session and not negotiated.extended:
        await line.send(smb1.logoff_request(named.session))
    return negotiated, named


async def _open_session(line: Line) -> bool:
    """On 139 the NetBIOS session that comes before SMB; the name stands for any server (RFC 1002, 4.3.2)."""
    if line.port != _NETBIOS_PORT:
        return True
    answer = await ask_message(
        line, _SESSION_REQUEST, _FRAME_HEAD, lambda head: int.from_bytes(head[2:4], "big")
    )
    return answer[:1] == bytes([_SESSION_POSITIVE])


async def _ask(line: Line, request: bytes) -> bytes:
    return await ask_message(line, request, _FRAME_HEAD, smb2.message_size, limit=smb2.MAX_MESSAGE)


def _plain_name(port: int) -> str:
    return "netbios-ssn" if port == _NETBIOS_PORT else "microsoft-ds"


def describe(
    port: int,
    modern: smb2.Negotiated | None,
    challenge: Challenge | None,
    old: smb1.Negotiated | None,
    named: smb1.Named | None,
) -> Answer:
    """The answer from what the server said in SMB 2 or 3 (`modern`, `challenge`) and in SMB 1 (`old`, `named`)."""
    challenge = challenge or (named.challenge if named is not None else None)
    facts = _facts(modern, challenge, old, named)
    workgroup = facts.get("workgroup")
    extra = f"workgroup: {workgroup}" if workgroup else None
    host = (challenge.hostname if challenge else None) or (old.name if old else None) or None
    program = f"{named.program}\n{named.system}" if named is not None else ""
    banner = "\n".join(facts[name] for name in ("native_lan_manager", "native_os") if name in facts).encode()
    if (challenge is not None and challenge.is_samba) or "samba" in program.lower():
        found = _SAMBA.search(program)
        return Answer(
            "netbios-ssn",
            banner or b"Samba",
            "Samba smbd",
            found[1] if found else None,
            extra,
            hostname=host,
            cpes=("cpe:/a:samba:samba",),
            facts=facts,
            # Without SMB 1 no server tells its version; nmap then shows one that it cannot know.
            complete=True,
        )
    windows = _windows(challenge, named)
    if windows is None:
        return Answer(_plain_name(port), banner, None, None, extra, hostname=host, facts=facts)
    name = _plain_name(port)
    return Answer(
        name,
        banner,
        f"Microsoft {windows} {name}",
        None,
        extra,
        os_name=windows,
        hostname=host,
        cpes=("cpe:/o:microsoft:windows",),
        facts=facts,
        complete=True,
    )


def _windows(challenge: Challenge | None, named: smb1.Named | None) -> str | None:
    """Which Windows: by its own words, which only SMB 1 has, or by its build; None when it shows to be none."""
    if named is not None and named.system.startswith("Windows "):
        return named.system[:80]
    if challenge is not None and challenge.build is not None:
        return challenge.release or "Windows"
    return None


def _facts(
    modern: smb2.Negotiated | None,
    challenge: Challenge | None,
    old: smb1.Negotiated | None,
    named: smb1.Named | None,
) -> dict[str, str]:
    facts: dict[str, str] = {}
    if old is not None:
        facts |= {"dialect": "NT LM 0.12", "signing": old.signing, "smb1": "yes"}
    if modern is not None:
        facts |= {"dialect": modern.dialect, "signing": modern.signing, "server_guid": str(modern.guid)}
        facts |= {
            name: moment.isoformat(timespec="seconds")
            for name, moment in (("server_time", modern.server_time), ("boot_time", modern.boot_time))
            if moment is not None
        }
    if challenge is not None:
        facts |= challenge.names
        if challenge.build is not None:
            facts["os_build"] = challenge.build
    if named is not None:
        facts |= {k: v for k, v in (("native_os", named.system), ("native_lan_manager", named.program)) if v}
    domain = (named.domain if named else "") or (old.domain if old else "") or facts.get("netbios_domain", "")
    if domain:
        facts["workgroup"] = domain
    return facts


PROTOCOL = TcpProtocol("microsoft-ds", frozenset({139, 445}), converse, recognises=recognise, anywhere=True)
