"""IMAP (RFC 9051): greeting, CAPABILITY, ID without a word about us where it is offered (RFC 2971), LOGOUT."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from netvigil.probing.speak.protocol import TcpProtocol
from netvigil.probing.speak.tcp.wording import Wording, answer_from, cpe_of, says, words_of

if TYPE_CHECKING:
    from netvigil.probing.speak.answer import Answer
    from netvigil.probing.speak.line import Line

_WINDOWS: Final = "Windows"
_EDITION: Final = r"(?: \((?P<extra>[A-Za-z][\w/ .-]{0,40})\))?"
_NAMES: Final = (
    Wording("Dovecot DirectAdmin imapd", says(r"\bDovecot DA ready"), "a:dovecot:dovecot"),
    Wording("Dovecot imapd", says(rf"\bDovecot\b{_EDITION}"), "a:dovecot:dovecot"),
    Wording(
        "Cyrus imapd", says(r"(?:(?P<hostname>[\w.-]{1,200}) )?\bCyrus IMAP(?:4|D)? v?{v}"), "a:cyrus:imap"
    ),
    Wording("Cyrus imapd", says(r"\bCyrus IMAP"), "a:cyrus:imap"),
    Wording("Courier Imapd", says(r"\bCourier-IMAP\b"), "a:courier-mta:courier_mail_server"),
    Wording("Zimbra imapd", says(r"\bZimbra\b(?: {v})?"), "a:synacor:zimbra_collaboration_suite"),
    Wording(
        "Microsoft Exchange 2003 imapd",
        says(r"\bMicrosoft Exchange Server 2003 IMAP4rev1[^\n]{0,60}? {v} \((?P<hostname>[\w.-]{1,200})\)"),
        "a:microsoft:exchange_server:2003",
        _WINDOWS,
    ),
    Wording(
        "Microsoft Exchange imapd",
        says(r"\bMicrosoft(?:\.| )Exchange\b"),
        "a:microsoft:exchange_server",
        _WINDOWS,
    ),
    Wording("Kerio Connect imapd", says(r"\bKerio Connect {v}"), "a:kerio:connect"),
    Wording("Kerio imapd", says(r"\bKerio MailServer {v}")),
    Wording("Lotus Domino imapd", says(r"\bDomino IMAP4 Server (?:Release )?{v}"), "a:ibm:lotus_domino"),
    Wording("IceWarp imapd", says(r"\bIceWarp {v}"), "a:icewarp:mail_server"),
    Wording("Alt-N MDaemon imapd", says(r"\bMDaemon {v}"), "a:altn:mdaemon", _WINDOWS),
    Wording("GNU Mailutils imapd", says(r"\bGNU (?:Mailutils|IMAP4?D?)(?: {v})?"), "a:gnu:mailutils"),
    Wording("hMailServer imapd", says(r"\bhMailServer\b"), "a:hmailserver:hmailserver", _WINDOWS),
    Wording("UW imapd", says(r"^\S{1,200} IMAP4rev1 (?P<version>20\d\d[\w.]{1,10}) at ")),
    Wording(
        "CommuniGate Pro imapd",
        says(r"\bCommuniGate Pro IMAP Server (?:{v})?"),
        "a:communigate:communigate_pro",
    ),
    Wording("Axigen imapd", says(r"\bAxigen IMAP4rev1\b"), "a:axigen:axigen_mail_server"),
    Wording("DBMail imapd", says(r"\bDBMail(?: {v})?"), "a:dbmail:dbmail"),
)
_GREETING: Final = re.compile(rb"\* (OK|PREAUTH|BYE)(?:[ \r\n]|$)", re.IGNORECASE)
_MOST: Final = 8192
_MAX_TAGGED_LINES: Final = 40
_MAX_PAIRS: Final = 30  # RFC 2971, 3.3
_CODE: Final = re.compile(r"^\[[^\]\n]{0,2000}\] ?")
_LISTED: Final = re.compile(
    r"(?:^\* |\[)CAPABILITY ([\x20-\x5c\x5e-\x7e]{1,2000})", re.IGNORECASE | re.MULTILINE
)
# A quoted string with its escapes, or an atom; the two cannot begin alike.
_VALUE: Final = re.compile(r'\s*(?:"((?:[^"\\\n]|\\["\\]){0,1024})"|([A-Za-z0-9.-]{1,64}))')


def recognise(data: bytes) -> bool:
    """Whether a greeting is IMAP's."""
    return _GREETING.match(data) is not None


async def converse(line: Line, heard: bytes) -> Answer | None:
    """Greeting, CAPABILITY unless the greeting has it, ID where it is offered, LOGOUT."""
    if b"\n" not in heard:
        heard += await line.read_until(b"\n", limit=_MOST)
    greeting = _GREETING.match(heard)
    if greeting is None or greeting[1].upper() == b"BYE":
        return parse(heard)
    offer, identity = b"", b""
    if not _capabilities(words_of(heard)):
        offer = await _ask(line, b"a1", b"CAPABILITY")
    if "ID" in _capabilities(words_of(heard + b"\n" + offer)):
        identity = await _ask(line, b"a2", b"ID NIL")
    await _ask(line, b"a3", b"LOGOUT", wait=1.0)
    return parse(heard, offer, identity)


async def _ask(line: Line, tag: bytes, command: bytes, wait: float | None = None) -> bytes:
    """A command's whole answer, to the line with its tag."""
    if not await line.send(tag + b" " + command + b"\r\n"):
        return b""
    answer = b""
    loop = asyncio.get_running_loop()
    wait = line.patience if wait is None else wait
    end = loop.time() + 2 * wait
    for _ in range(_MAX_TAGGED_LINES):
        if (left := end - loop.time()) <= 0:
            break
        said = await line.read_until(b"\n", min(wait, left), _MOST)
        answer += said
        if not said.endswith(b"\n") or said.startswith(tag + b" ") or len(answer) >= _MOST:
            break
    return answer


def parse(greeting: bytes, offer: bytes = b"", identity: bytes = b"") -> Answer | None:
    """What the greeting and the answers to CAPABILITY and ID say."""
    opened = _GREETING.match(greeting)
    if opened is None:
        return None
    words = words_of(greeting)
    first = _CODE.sub("", words.partition("\n")[0].partition(" ")[2].partition(" ")[2])
    offered = _capabilities(words + "\n" + words_of(offer))
    stated = _identity(words_of(identity))
    facts = {f"id_{key}": value for key, value in stated.items()}
    if offered:
        facts["capabilities"] = " ".join(offered)
    if "STARTTLS" in offered:
        facts["starttls"] = "yes"
    if methods := [word.removeprefix("AUTH=") for word in offered if word.startswith("AUTH=")]:
        facts["auth"] = " ".join(methods)
    if opened[1].upper() == b"BYE":
        facts["refused"] = "yes"
    told = b"\r\n".join(filter(None, (part.strip() for part in (greeting, identity))))
    answer = answer_from("imap", told, first, _NAMES, facts=facts)
    return _stated(answer, stated, facts) if stated.get("name") else answer


def _stated(answer: Answer, stated: dict[str, str], facts: dict[str, str]) -> Answer:
    """The product by what it says of itself in ID, where that is more than the greeting told."""
    name, version = stated["name"], stated.get("version")
    own = answer_from("imap", answer.banner, f"{name} {version or ''}", _NAMES, facts=facts)
    if own.product is None:
        if answer.product is not None:
            return answer
        return replace(answer, product=name[:100], version=version and version[:60], complete=bool(version))
    if own.product == answer.product:
        own = replace(own, extra_info=answer.extra_info, version=own.version or answer.version)
    if version and own.version is None and re.match(r"v?\d", version):
        row = next(row for row in _NAMES if row.product == own.product)
        own = replace(own, version=version[:60], cpes=(cpe_of(row.cpe, version),) if row.cpe else ())
    return replace(own, hostname=own.hostname or answer.hostname)


def _capabilities(words: str) -> list[str]:
    found: list[str] = []
    for listed in _LISTED.finditer(words):
        found += listed[1].upper().split()
    return list(dict.fromkeys(found))[:80]


def _identity(words: str) -> dict[str, str]:
    """The pairs of an ID response, at most thirty, keys as words of a fact."""
    began = re.search(r"^\* ID \(", words, re.IGNORECASE | re.MULTILINE)
    if began is None:
        return {}
    values: list[str] = []
    at = began.end()
    while len(values) < 2 * _MAX_PAIRS and (found := _VALUE.match(words, at)):
        quoted, atom = found[1], found[2]
        values.append(
            re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else atom if atom != "NIL" else ""
        )
        at = found.end()
    pairs = zip(values[::2], values[1::2], strict=False)
    kept = {
        re.sub(r"[^a-z0-9]+", "_", key.lower())[:40].strip("_"): value.strip()[:200] for key, value in pairs
    }
    return {key: value for key, value in kept.items() if key and value}


PROTOCOL = TcpProtocol("imap", frozenset({143, 993}), converse, greets=True, recognises=recognise)
