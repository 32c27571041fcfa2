"""FTP (RFC 959): the greeting names the program; SYST is asked where it does not, and QUIT ends it. Nobody logs in."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from netvigil.probing.speak.protocol import TcpProtocol
from netvigil.probing.speak.tcp.replies import ask_reply, leave, parse_reply, read_reply
from netvigil.probing.speak.tcp.wording import Wording, answer_from, find_hostname, says, words_of

if TYPE_CHECKING:
    from netvigil.probing.speak.answer import Answer
    from netvigil.probing.speak.line import Line

_WINDOWS: Final = "Windows"
_SERVER: Final = r"^(?P<hostname>[\w.-]{1,100}) FTP server \("
# Names are nmap's. RouterOS first: its identity, which stands in the greeting too, may be any program's name.
_GREETINGS: Final = (
    Wording(
        "MikroTik router ftpd",
        says(r"^(?:(?P<hostname>[^\n]{1,100}) )?FTP server \(MikroTik v?{v}[^)\n]{0,40}\)"),
        "o:mikrotik:routeros",
        "RouterOS",
        "router",
    ),
    Wording("vsftpd", says(r"\(vsFTPd {v}\)"), "a:vsftpd_project:vsftpd"),
    Wording(
        "vsftpd", says(r"^OOPS: (?:vsftpd|cannot change directory:|child died)"), "a:vsftpd_project:vsftpd"
    ),
    Wording(
        "ProFTPD",
        says(r"\bNASFTPD Turbo station (?:2\.x )?{v} Server \(ProFTPD\)"),
        "a:proftpd:proftpd",
        "Linux",
        "storage-misc",
    ),
    Wording("ProFTPD", says(r"\bProFTPD (?:{v} )?(?:Server|Default|\()"), "a:proftpd:proftpd"),
    Wording("ProFTPD", says(r"\bProFTPD\b(?: {v})?"), "a:proftpd:proftpd"),
    Wording("Pure-FTPd", says(r"\bPure-?FTPd\b(?: {v})?"), "a:pureftpd:pure-ftpd"),
    Wording(
        "FileZilla ftpd",
        says(r"\bFileZilla Server(?: Pro)?(?: version)? (?P<version>\d[\w.-]{0,30}(?: beta| rc\d{1,3})?)"),
        "a:filezilla-project:filezilla_server",
    ),
    Wording(
        "FileZilla ftpd", says(r"\bFileZilla Server\b"), "a:filezilla-project:filezilla_server", whole=False
    ),
    Wording(
        "Microsoft ftpd",
        says(r"^(?:(?P<hostname>[\w.-]{1,100}) )?Microsoft FTP Service(?: \(Version {v}\))?"),
        "a:microsoft:ftp_service",
        _WINDOWS,
    ),
    Wording("Microsoft Windows CE ftpd", says(r"\bWindows CE FTP\b"), None, _WINDOWS),
    Wording("Serv-U ftpd", says(r"\bServ-U FTP[- ]Server v?{v}"), "a:solarwinds:serv-u"),
    Wording("Serv-U ftpd", says(r"\bServ-U FTP[- ]Server\b"), "a:solarwinds:serv-u"),
    Wording("WU-FTPD", says(_SERVER + r"Version wu-{v}"), "a:washington_university:wu-ftpd"),
    Wording("GNU Inetutils FTPd", says(_SERVER + r"GNU inetutils {v}"), "a:gnu:inetutils"),
    Wording("NetBSD lukemftpd", says(_SERVER + r"(?:NetBSD-ftpd|tnftpd|lukemftpd) {v}")),
    Wording(
        "OpenBSD ftpd",
        says(_SERVER + r"Version {v}/OpenBSD/(?P<extra>Linux-ftpd-[\d.]{1,10})"),
        None,
        "Linux",
    ),
    Wording("OpenBSD ftpd", says(_SERVER + r"Version {v}/OpenBSD"), None),
    Wording("FreeBSD ftpd", says(_SERVER + r"Version (?P<version>6\.00LS)"), None, "FreeBSD"),
    Wording("Sun SunOS ftpd", says(_SERVER + r"SunOS {v}"), None, "Solaris"),
    Wording("VxWorks ftpd", says(r"\bVxWorks \(?(?:VxWorks )?v?{v}"), None, "VxWorks"),
    Wording("VxWorks ftpd", says(r"\bFTP server \(VxWorks (?:VxWorks )?v?{v}"), None, "VxWorks"),
    Wording("Cerberus FTP Server", says(r"\bCerberus FTP Server(?: v?{v})?"), "a:cerberus:ftp_server"),
    Wording("CrushFTP", says(r"\bCrushFTP(?: Server)?(?: v?{v})?"), "a:crushftp:crushftp"),
    Wording("Wing FTP Server", says(r"\bWing FTP Server(?: v?{v})?"), "a:wftpserver:wing_ftp_server"),
    Wording("Titan ftpd", says(r"\bTitan FTP Server(?: v?{v})?"), "a:southrivertech:titan_ftp_server"),
    Wording("Xlight ftpd", says(r"\bXlight (?:FTP )?Server(?: v?{v})?"), "a:xlightftpd:xlight_ftp_server"),
    Wording("Gene6 ftpd", says(r"\bGene6 FTP Server v{v}"), "a:gene6:g6_ftp_server", _WINDOWS),
    Wording("pyftpdlib", says(r"\bpyftpdlib (?:based )?(?:{v})?"), "a:g.rodola:pyftpdlib"),
    Wording("Bftpd", says(r"\bbftpd {v} at\b"), "a:bftpd_project:bftpd"),
    Wording("NcFTPd", says(r"\bNcFTPd Server\b")),
    Wording("glFTPd", says(r"\bglFTPD {v}")),
    Wording("BusyBox ftpd", says(r"\AOperation successful\Z"), "a:busybox:busybox"),
    Wording(
        "Synology Disk Station ftpd", says(r"\bDisk ?Station FTP server\b"), None, "Linux", "storage-misc"
    ),
    Wording(
        "AVM FRITZ!Box ftpd",
        says(r"\bFRITZ!Box(?P<extra>[^\s]{0,40}) FTP server"),
        None,
        None,
        "broadband router",
    ),
    Wording(
        "Axis {model} ftpd",
        says(r"\bAxis (?P<model>[\w-]{2,20}) [^\n]{0,60}?(?:Camera|Server|Encoder) {v} "),
        None,
        None,
        "webcam",
    ),
    Wording("HP JetDirect ftpd", says(r"\bJD FTP Server\b"), None, None, "printer"),
    Wording(
        "Ricoh {model} printer ftpd",
        says(r"^RICOH (?P<model>[\w -]{2,40}?) FTP server \({v}\)"),
        None,
        None,
        "printer",
    ),
    Wording(
        "Lexmark {model} printer ftpd",
        says(r"\bLexmark (?P<model>[\w-]{2,20}) FTP Server {v}?"),
        None,
        None,
        "printer",
    ),
    Wording(
        "Kyocera {model} printer ftpd",
        says(r"^(?P<model>(?:ECOSYS|TASKalfa|FS-)[\w -]{1,30}?) FTP server"),
        None,
        None,
        "printer",
    ),
    Wording(
        "Xerox {model} printer ftpd", says(r"\bXerox (?P<model>[\w -]{2,40}?) FTP"), None, None, "printer"
    ),
    Wording("Epson printer ftpd", says(r"\bEPSON (?:FTP|Network|Print)"), None, None, "printer"),
    Wording("Brother/HP printer ftpd", says(r"\bFTP print service:V-{v}"), None, None, "printer"),
    Wording(
        "ZyXEL {model} ftpd",
        says(r"^(?P<model>[\w-]{2,30}(?: v\d)?) FTP version {v} ready at"),
        None,
        None,
        "broadband router",
    ),
)
_SYSTEMS: Final = (
    Wording("MikroTik router ftpd", says(r"\bMikroTik v?{v}"), "o:mikrotik:routeros", "RouterOS", "router"),
    Wording(
        "FileZilla ftpd",
        says(r"\bemulated by FileZilla\b"),
        "a:filezilla-project:filezilla_server",
        whole=False,
    ),
    Wording("VxWorks ftpd", says(r"\bVxWorks\b(?:[ -]{v})?"), None, "VxWorks", whole=False),
)
_OPENINGS: Final = frozenset({120, 220, 421, 500, 530, 550})
_DOTTED: Final = re.compile(r"\b[\w-]{1,63}(?:\.[\w-]{1,63}){1,10}")
# As BSD's and its kin's; elsewhere a product's name stands at that place.
_NAMED: Final = re.compile(r"^([\w.-]{1,200}) FTP server \(Version\b", re.IGNORECASE)


def recognise(data: bytes) -> bool:
    """Whether a greeting or refusal is FTP's: SMTP's has the same form, so the words decide."""
    reply = parse_reply(data)
    if reply is None or reply.code not in _OPENINGS:
        return False
    # `ftp.example.org ESMTP` is a mail server's
    said = _DOTTED.sub("", reply.text)
    if re.search(r"\b[EL]?S?MTP\b", said):
        return False
    if re.search(r"FTP|\AService ready for new user", said, re.IGNORECASE):
        return True
    return any(row.says.search(reply.text) for row in _GREETINGS)


async def converse(line: Line, heard: bytes) -> Answer | None:
    """Greeting, SYST where that names no program, QUIT."""
    # Servers that look us up in the DNS first greet late.
    greeting = await read_reply(line, heard, 2 * line.patience)
    answer = parse(greeting)
    reply = parse_reply(greeting)
    if answer is None or reply is None:
        return None
    if reply.code != 220 or not reply.ended:  # noqa: PLR2004 - refused, or not yet our turn
        return answer if recognise(greeting) or reply.code != 220 else None  # noqa: PLR2004 - the same
    system = b""
    if answer.product is None:
        system = await ask_reply(line, b"SYST\r\n")
        answer = parse(greeting, system)
        if not system and not recognise(greeting):
            return None
    await leave(line, b"QUIT\r\n")
    return answer


def parse(greeting: bytes, system: bytes = b"") -> Answer | None:
    """What a greeting, and the reply to SYST, say; None when the two are not FTP's."""
    reply = parse_reply(greeting)
    if reply is None or reply.code not in _OPENINGS:
        return None
    said = parse_reply(system)
    if said is not None and said.code in {500, 502, 503} and not recognise(greeting):
        return None  # a mail server knows no SYST
    named = _NAMED.match(reply.text)
    hostname = named[1] if named else None
    facts = {} if said is None else {"syst": words_of(system).strip()[:200]}
    if reply.code != 220:  # noqa: PLR2004 - service ready
        facts["refused"] = str(reply.code)
    answer = answer_from("ftp", greeting, reply.text, _GREETINGS, hostname=hostname, facts=facts)
    if answer.product is None and said is not None:
        banner = greeting.rstrip(b"\r\n") + b"\r\n" + system
        answer = answer_from("ftp", banner, said.text, _SYSTEMS, hostname=hostname, facts=facts)
        if said.text.lower().startswith("windows_nt"):
            answer = replace(answer, os_name=_WINDOWS)
    if answer.os_name == "RouterOS":
        answer = _routeros(answer, reply.text)
    return answer


def _routeros(answer: Answer, text: str) -> Answer:
    found = _GREETINGS[0].says.search(text)
    identity = (found["hostname"] if found else None) or ""
    facts = {**answer.facts, "identity": identity.strip()} if identity.strip() else answer.facts
    return replace(answer, hostname=find_hostname(identity) or answer.hostname, facts=facts)


PROTOCOL = TcpProtocol("ftp", frozenset({21, 2121, 990}), converse, greets=True, recognises=recognise)
