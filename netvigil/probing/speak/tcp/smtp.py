"""SMTP and LMTP (RFC 5321, RFC 2033): greeting, EHLO (LHLO) for what the server can do, QUIT. No mail is begun."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from netvigil.probing.speak.protocol import TcpProtocol
from netvigil.probing.speak.tcp.replies import Reply, ask_reply, leave, parse_reply, read_reply
from netvigil.probing.speak.tcp.wording import Wording, answer_from, says

if TYPE_CHECKING:
    from netvigil.probing.speak.answer import Answer
    from netvigil.probing.speak.line import Line

# Reserved (RFC 2606), so it is nobody's and cannot be looked up.
_OURSELVES: Final = b"client.invalid"
_READY: Final = 220
_OKAY: Final = 250
_OPENINGS: Final = frozenset({220, 421, 450, 451, 500, 521, 550, 554})
_MAX_EXTENSIONS: Final = 40
_WINDOWS: Final = "Windows"
_EXCHANGE: Final = "a:microsoft:exchange_server"
_EDITION: Final = r"(?: \((?P<extra>[A-Za-z][\w/ .-]{0,40})\))?"
_NAMES: Final = (
    Wording("Postfix smtpd", says(r"\bPostfix\b \({v}\)"), "a:postfix:postfix"),
    Wording("Postfix smtpd", says(rf"\bPostfix\b{_EDITION}"), "a:postfix:postfix"),
    Wording("Exim smtpd", says(r"\bExim {v}"), "a:exim:exim"),
    Wording("Exim smtpd", says(r"\bExim\b"), "a:exim:exim"),
    Wording(
        "Sendmail",
        says(r"\bSendmail (?:AIX[\d.]{1,8}/)?(?P<version>\d[\w.+~/-]{0,60})"),
        "a:sendmail:sendmail",
    ),
    Wording("Sendmail", says(r"\bESMTP Sendmail\b"), "a:sendmail:sendmail"),
    Wording("Microsoft ESMTP", says(r"\bMicrosoft ESMTP MAIL Service, Version: {v}"), None, _WINDOWS),
    Wording("Microsoft Exchange smtpd", says(r"\bMicrosoft ESMTP MAIL Service\b"), _EXCHANGE, _WINDOWS),
    Wording(
        "Microsoft Exchange smtpd",
        says(r"\bMicrosoft Exchange (?:Internet Mail Service|Server) {v}"),
        _EXCHANGE,
        _WINDOWS,
    ),
    Wording("OpenSMTPD", says(r"\bOpenSMTPD\b(?: {v})?"), "a:opensmtpd:opensmtpd"),
    Wording("HCL Domino smtpd", says(r"\bHCL Domino Release {v}"), "a:hcltech:domino"),
    Wording("IBM Domino smtpd", says(r"\bIBM Domino Release {v}"), "a:ibm:domino"),
    Wording("Lotus Domino smtpd", says(r"\bLotus Domino Release {v}"), "a:ibm:lotus_domino"),
    Wording("Kerio Connect smtpd", says(r"\bKerio Connect {v}"), "a:kerio:connect"),
    Wording("Kerio MailServer", says(r"\bKerio MailServer {v}")),
    Wording("IceWarp smtpd", says(r"\bIceWarp {v}"), "a:icewarp:mail_server"),
    Wording("MDaemon smtpd", says(r"\bMDaemon (?:PRO )?v?{v}"), "a:altn:mdaemon", _WINDOWS),
    Wording(
        "MailEnable smtpd", says(r"\bMailEnable Service, Version: {v}"), "a:mailenable:mailenable", _WINDOWS
    ),
    Wording("Axigen smtpd", says(r"\bAxigen ESMTP\b"), "a:axigen:axigen_mail_server"),
    Wording("CommuniGate Pro smtpd", says(r"\bCommuniGate Pro\b(?: {v})?"), "a:communigate:communigate_pro"),
    Wording("Haraka smtpd", says(r"\bHaraka(?:/{v})?"), "a:haraka_project:haraka"),
    Wording("JAMES smtpd", says(r"\bJAMES SMTP Server (?:{v})?")),
    Wording("Mercury Mail smtpd", says(r"\bMercury(?:/32)? v?{v}"), None, _WINDOWS),
    Wording("Google gsmtp", says(r" - gsmtp\b")),
    Wording("Haraka smtpd", says(r"\bHaraka\b"), "a:haraka_project:haraka"),
    Wording("MailHog smtpd", says(r"\bESMTP MailHog\b")),
    Wording("Dovecot smtpd", says(rf"\bDovecot{_EDITION} ready\b"), "a:dovecot:dovecot"),
    Wording("Zimbra lmtpd", says(r"\bZimbra LMTP server ready\b"), "a:synacor:zimbra_collaboration_suite"),
    Wording("Cyrus lmtpd", says(r"\bLMTP Cyrus v?{v}"), "a:cyrus:imap"),
)
_EXTENSION: Final = re.compile(r"[A-Z0-9][A-Z0-9=-]{0,40}(?: [\x21-\x7e ]{1,200})?", re.IGNORECASE)
_DOTTED: Final = re.compile(r"\b[\w-]{1,63}(?:\.[\w-]{1,63}){1,10}")


def recognise(data: bytes) -> bool:
    """Whether a greeting or refusal is SMTP's or LMTP's: FTP's has the same form, so the words decide."""
    reply = parse_reply(data)
    if reply is None or reply.code not in _OPENINGS:
        return False
    return re.search(r"\b[EL]?S?MTP\b|\bDovecot\b[^\n]{0,60} ready", _DOTTED.sub("", reply.text)) is not None


async def converse(line: Line, heard: bytes) -> Answer | None:
    """Greeting, EHLO or LHLO, QUIT; nothing is sent before the greeting is whole, which is what spammers do."""
    # Postfix holds the last line of a greeting back for six seconds to see who does not wait.
    greeting = await read_reply(line, heard, 3 * line.patience)
    reply = parse_reply(greeting)
    if reply is None or reply.code not in _OPENINGS:
        return None
    if reply.code != _READY or not reply.ended:
        return parse(greeting) if reply.code != _READY or recognise(greeting) else None
    hello = b"LHLO" if _is_lmtp(reply) else b"EHLO"
    offer = await ask_reply(line, hello + b" " + _OURSELVES + b"\r\n")
    answer = parse(greeting, offer)
    if answer is not None:
        await leave(line, b"QUIT\r\n")
    return answer


def parse(greeting: bytes, offer: bytes | None = None) -> Answer | None:
    """What a greeting, and the reply to EHLO, say; None when the two are not SMTP's."""
    reply = parse_reply(greeting)
    if reply is None or reply.code not in _OPENINGS:
        return None
    offered = parse_reply(offer or b"")
    if offer is not None and not recognise(greeting) and (offered is None or offered.code != _OKAY):
        return None
    host, _, _ = reply.text.partition(" ")
    facts = _capabilities(offered)
    if reply.code != _READY:
        facts["refused"] = str(reply.code)
    banner = greeting if not offer else greeting.rstrip(b"\r\n") + b"\r\n" + offer
    name = "lmtp" if _is_lmtp(reply) else "smtp"
    answer = answer_from(name, banner, reply.text, _NAMES, hostname=host, facts=facts)
    if answer.product is None and "X-EXPS" in facts.get("extensions", "").split():
        answer = replace(answer, product="Microsoft Exchange smtpd", os_name=_WINDOWS, complete=True)
    return answer


def _is_lmtp(reply: Reply) -> bool:
    return re.search(r"\bLMTP\b", _DOTTED.sub("", reply.text)) is not None


def _capabilities(offered: Reply | None) -> dict[str, str]:
    """The extensions that a server offers, the ways to log in, and whether it goes over to TLS."""
    if offered is None or offered.code != _OKAY:
        return {}
    lines = offered.text.split("\n")
    found = [line.strip() for line in lines[1:] if _EXTENSION.fullmatch(line.strip())][:_MAX_EXTENSIONS]
    facts = {"ehlo": lines[0].strip()[:200]}
    if found:
        facts["extensions"] = " ".join(line.split(" ")[0].upper() for line in found)
    for line in found:
        word, _, rest = line.replace("=", " ", 1).partition(" ")
        if word.upper() == "STARTTLS":
            facts["starttls"] = "yes"
        elif word.upper() == "AUTH" and rest:
            facts["auth"] = rest.upper()
        elif word.upper() == "SIZE" and rest.isdigit():
            facts["size"] = rest
    return facts


PROTOCOL = TcpProtocol(
    "smtp", frozenset({24, 25, 465, 587, 2525, 1025}), converse, greets=True, recognises=recognise
)
