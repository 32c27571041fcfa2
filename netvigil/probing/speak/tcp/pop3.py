"""POP3 (RFC 1939, RFC 2449): greeting, CAPA with its IMPLEMENTATION, QUIT. Nobody logs in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from netvigil.probing.speak.protocol import TcpProtocol
from netvigil.probing.speak.tcp.replies import leave
from netvigil.probing.speak.tcp.wording import Wording, answer_from, says, words_of

if TYPE_CHECKING:
    from netvigil.probing.speak.answer import Answer
    from netvigil.probing.speak.line import Line

_WINDOWS: Final = "Windows"
_EDITION: Final = r"(?: \((?P<extra>[A-Za-z][\w/ .-]{0,40})\))?"
_NAMES: Final = (
    Wording("Dovecot DirectAdmin pop3d", says(r"\bDovecot DA ready"), "a:dovecot:dovecot"),
    Wording("Dovecot pop3d", says(rf"\bDovecot\b{_EDITION}"), "a:dovecot:dovecot"),
    Wording(
        "Cyrus pop3d", says(r"^(?:(?P<hostname>[\w.-]{1,200}) )?Cyrus POP3 (?:server )?v?{v}"), "a:cyrus:imap"
    ),
    Wording("Qpopper pop3d", says(r"\bQpopper(?:-version-| \(version ){v}"), "a:qualcomm:qpopper"),
    Wording(
        "Zimbra pop3d",
        says(r"^(?:(?P<hostname>[\w.-]{1,200}) )?Zimbra (?:{v} )?POP3 server"),
        "a:synacor:zimbra_collaboration_suite",
    ),
    Wording(
        "Microsoft Exchange 2003 pop3d",
        says(r"\bMicrosoft Exchange Server 2003 POP3[^\n]{0,60}? {v} \((?P<hostname>[\w.-]{1,200})\)"),
        "a:microsoft:exchange_server:2003",
        _WINDOWS,
    ),
    Wording(
        "Microsoft Exchange pop3d",
        says(r"\bMicrosoft Exchange\b[^\n]{0,40} POP3\b"),
        "a:microsoft:exchange_server",
        _WINDOWS,
    ),
    Wording("Kerio Connect pop3d", says(r"\bKerio Connect {v}"), "a:kerio:connect"),
    Wording("Kerio MailServer POP3 Server", says(r"\bKerio MailServer {v}")),
    Wording(
        "Lotus Domino POP3 server",
        says(r"\b(?:Lotus Notes|IBM Notes|HCL Domino|Lotus Domino) POP3 server version (?:Release )?{v}"),
        "a:ibm:lotus_domino",
    ),
    Wording(
        "MDaemon pop3d", says(r"^(?P<hostname>[\w.-]{1,200}) POP MDaemon {v}"), "a:altn:mdaemon", _WINDOWS
    ),
    Wording("MDaemon pop3d", says(r"\bMDaemon {v}"), "a:altn:mdaemon", _WINDOWS),
    Wording("IceWarp pop3d", says(r"\bIceWarp {v}"), "a:icewarp:mail_server"),
    Wording("GNU Mailutils pop3d", says(r"\bGNU (?:Mailutils|POP3)(?: {v})?"), "a:gnu:mailutils"),
    Wording("hMailServer pop3d", says(r"\bhMailServer\b"), "a:hmailserver:hmailserver", _WINDOWS),
    Wording(
        "CommuniGate Pro pop3d",
        says(r"\bCommuniGate Pro POP3 Server (?:{v})?"),
        "a:communigate:communigate_pro",
    ),
    Wording(
        "Courier pop3d",
        says(r"\bCourier Mail Server\b|\AHello there\.\Z"),
        "a:courier-mta:courier_mail_server",
    ),
    Wording("UW Imap pop3d", says(r"^POP3 (?P<hostname>[\w.-]{1,200}) v?{v} server ready")),
    Wording("Axigen pop3d", says(r"\bAxigen POP3 server\b"), "a:axigen:axigen_mail_server"),
)
_MAX_CAPABILITIES: Final = 40
_MOST: Final = 8192
_CAPABILITY: Final = re.compile(r"[A-Z][A-Z0-9-]{1,40}(?: [\x20-\x7e]{1,200})?", re.IGNORECASE)


def recognise(data: bytes) -> bool:
    """Whether a greeting is POP3's: no other protocol here begins a line with these marks, but Redis with -ERR."""
    return re.match(rb"\+OK[ \r\n]|-ERR [^\r\n]{0,80}\bPOP", data) is not None


async def converse(line: Line, heard: bytes) -> Answer | None:
    """Greeting, CAPA, QUIT."""
    if b"\n" not in heard:
        heard += await line.read_until(b"\n", limit=_MOST)
    if not heard.startswith(b"+OK"):
        return parse(heard)
    offer = b""
    if await line.send(b"CAPA\r\n"):
        offer = await line.read_until(b"\n", limit=_MOST)
        if offer.startswith(b"+OK") and not offer.endswith(b"\r\n.\r\n"):
            offer += await line.read_until(b"\n.\r\n", limit=_MOST)
        await leave(line, b"QUIT\r\n")
    return parse(heard, offer)


def parse(greeting: bytes, offer: bytes = b"") -> Answer | None:
    """What a greeting, and the reply to CAPA, say."""
    if not greeting.startswith((b"+OK", b"-ERR ")) or (
        greeting.startswith(b"-ERR ") and not recognise(greeting)
    ):
        return None
    words = words_of(greeting)
    first = words.partition("\n")[0].partition(" ")[2]
    facts, implementation = _capabilities(offer)
    if greeting.startswith(b"-ERR"):
        facts["refused"] = "yes"
    banner = greeting
    if implementation:
        banner = greeting.rstrip(b"\r\n") + b"\r\nIMPLEMENTATION " + implementation.encode()
        # what it calls itself on request is more exact than a greeting, which is often written by hand
        answer = answer_from("pop3", banner, implementation, _NAMES, facts=facts)
        if answer.version is not None:
            return answer
    answer = answer_from("pop3", banner, first, _NAMES, facts=facts)
    if answer.product is None and implementation:
        answer = answer_from("pop3", banner, implementation, _NAMES, facts=facts)
    return answer


def _capabilities(offer: bytes) -> tuple[dict[str, str], str]:
    if not offer.startswith(b"+OK"):
        return {}, ""
    lines = [line.strip() for line in words_of(offer).split("\n")[1:]]
    found = [line for line in lines if _CAPABILITY.fullmatch(line)][:_MAX_CAPABILITIES]
    facts: dict[str, str] = {}
    implementation = ""
    for line in found:
        word, _, rest = line.partition(" ")
        if word.upper() == "IMPLEMENTATION":
            implementation = rest.strip()
            facts["implementation"] = implementation
        elif word.upper() == "STLS":
            facts["starttls"] = "yes"
        elif word.upper() == "SASL" and rest:
            facts["auth"] = rest.upper()
    if found:
        facts["capabilities"] = " ".join(line.split(" ")[0].upper() for line in found)
    return facts, implementation


PROTOCOL = TcpProtocol("pop3", frozenset({109, 110, 995}), converse, greets=True, recognises=recognise)
