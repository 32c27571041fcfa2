"""Telnet (RFC 854, RFC 1143): refuse every option, as a client without any does, and read until the login prompt."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from netvigil.probing.speak.protocol import TcpProtocol
from netvigil.probing.speak.tcp.wording import Wording, answer_from, find_hostname, says, words_of

if TYPE_CHECKING:
    from netvigil.probing.speak.answer import Answer
    from netvigil.probing.speak.line import Line

_IAC, _DONT, _DO, _WONT, _WILL, _SB, _SE = 255, 254, 253, 252, 251, 250, 240
_MOST: Final = 8192  # bytes of a whole conversation
_ROUNDS: Final = 12
_MAX_OPTIONS: Final = 64  # that are answered: nobody has more
_PAUSE: Final = 1.5  # seconds without a word after the first words
_LONGEST: Final = 4.0  # times the line's patience, in all
_ROUTEROS: Final = Wording(
    "MikroTik RouterOS",
    says(r"^MikroTik v?{v}(?: \((?P<extra>[a-z-]{1,20})\))?"),
    "o:mikrotik:routeros",
    "RouterOS",
    "router",
)
_NAMES: Final = (
    _ROUTEROS,
    Wording("BusyBox telnetd", says(r"\bBusyBox v{v}"), "a:busybox:busybox", "Linux"),
    Wording(
        "DD-WRT telnetd",
        says(r"^DD-WRT v(?P<version>[\w. -]{1,30}?) (?:\(c\)|std|mini|mega|big|micro)"),
        None,
        "Linux",
        "WAP",
    ),
    Wording(
        "Microsoft Windows telnetd", says(r"\bWelcome to Microsoft Telnet Ser(?:vice|ver)\b"), None, "Windows"
    ),
    Wording("Quagga routing software", says(r"^Hello, this is Quagga \(version {v}\)"), "a:quagga:quagga"),
    Wording("FRRouting", says(r"^Hello, this is FRRouting \(version {v}\)"), "a:frrouting:frrouting"),
    Wording("Cisco IOS telnetd", says(r"^User Access Verification$"), "o:cisco:ios", "IOS", "router"),
    Wording("VxWorks telnetd", says(r"^VxWorks login:"), None, "VxWorks"),
    Wording("HP JetDirect telnetd", says(r"^HP JetDirect$"), None, None, "printer"),
    Wording(
        "Lantronix telnetd", says(r"\bLantronix (?:[\w ]{0,40} )?[^\n]{0,60}"), None, None, "terminal server"
    ),
    Wording(
        "Huawei telnetd",
        says(r"\bHuawei (?:Home Gateway|Technologies)\b|\bWelcome Visiting Huawei\b"),
        None,
        None,
        "broadband router",
    ),
    Wording("ZyXEL telnetd", says(r"\bZyXEL\b"), None, None, "broadband router"),
    Wording("FreeBSD telnetd", says(r"^FreeBSD/\w{1,20} \((?P<hostname>[\w.-]{1,200})\)"), None, "FreeBSD"),
    Wording("NetBSD telnetd", says(r"^NetBSD/\w{1,20} \((?P<hostname>[\w.-]{1,200})\)"), None, "NetBSD"),
    Wording("OpenBSD telnetd", says(r"^OpenBSD/\w{1,20} \((?P<hostname>[\w.-]{1,200})\)"), None, "OpenBSD"),
    Wording("Solaris telnetd", says(r"^SunOS 5\.\d"), None, "Solaris"),
)
# Who asks for what, in which order, before any word: only these programs do so.
_NEGOTIATIONS: Final = (
    (((_DO, 24), (_DO, 32), (_DO, 35), (_DO, 39)), "Linux telnetd", ()),
    (((_WILL, 37), (_WILL, 38), (_DO, 24), (_DO, 32), (_DO, 35), (_DO, 39)), "Linux telnetd", ()),
    (((_DO, 1), (_DO, 31), (_WILL, 1), (_WILL, 3)), "BusyBox telnetd", ("cpe:/a:busybox:busybox",)),
    (((_DO, 1), (_DO, 33), (_WILL, 1), (_WILL, 3)), "BusyBox telnetd", ("cpe:/a:busybox:busybox",)),
)
_VERBS: Final = {_DO: "do", _DONT: "dont", _WILL: "will", _WONT: "wont"}
_HIGH_OPTIONS: Final = frozenset({200, 201, 255})
_LAST_OPTION: Final = 90
_PROMPT: Final = re.compile(
    r"(?:login|user ?name|user|account|password|passcode|name)(?: \([^)\n]{0,20}\))? ?[:>] ?\Z|[\w)\]][>#$%] ?\Z",
    re.IGNORECASE,
)
_LOGIN: Final = re.compile(r"(?:^|[\s:-])(?:login|user ?name|user|password) ?: ?\Z", re.IGNORECASE)
_HOST_LOGIN: Final = re.compile(r"^([A-Za-z0-9][\w.-]{0,200}) login: ?\Z", re.MULTILINE)
_SYSTEM: Final = re.compile(
    r"^((?:Debian GNU/Linux|Ubuntu|Raspbian GNU/Linux|CentOS|Red Hat|Fedora|AlmaLinux|Rocky Linux|openSUSE|SUSE|Alpine)"
    r"\b[^\n]{0,80}|Linux \d\.[\w.+-]{1,60} \([\w.-]{1,100}\) \(pts/\d{1,4}\))$",
    re.MULTILINE | re.IGNORECASE,
)
_MAC: Final = re.compile(r"\bMAC addr(?:ess)?:? ?([0-9A-F]{2}(?:[:-]?[0-9A-F]{2}){5})\b", re.IGNORECASE)


class Stream(NamedTuple):
    """A server's bytes taken apart: its text, the options it spoke of as (verb, option), and an unfinished command."""

    text: bytes
    options: tuple[tuple[int, int], ...]
    rest: bytes


def split_stream(data: bytes) -> Stream:
    """Take the commands (RFC 854) out of the text; subnegotiations are dropped."""
    text = bytearray()
    options: list[tuple[int, int]] = []
    at = 0
    while (mark := data.find(_IAC, at)) >= 0:
        text += data[at:mark]
        end = _end_of_command(data, mark)
        if end is None:
            return Stream(bytes(text), tuple(options), data[mark:])
        if data[mark + 1] == _IAC:
            text.append(_IAC)
        elif data[mark + 1] in _VERBS:
            options.append((data[mark + 1], data[mark + 2]))
        at = end
    return Stream(bytes(text + data[at:]), tuple(options), b"")


def _end_of_command(data: bytes, mark: int) -> int | None:
    """Where the command that begins at `mark` is over; None when its end has not come."""
    if mark + 1 >= len(data):
        return None
    command = data[mark + 1]
    if command in _VERBS:
        return mark + 3 if mark + 2 < len(data) else None
    if command != _SB:
        return mark + 2
    at = data.find(_IAC, mark + 2)
    while at >= 0 and at + 1 < len(data):
        if data[at + 1] == _SE:
            return at + 2
        at = data.find(_IAC, at + 2)
    return None


def refusals(options: tuple[tuple[int, int], ...]) -> bytes:
    """The answer to each offer and each demand, once: DONT and WONT. A server's own refusals need none."""
    answers = {_DO: _WONT, _WILL: _DONT}
    asked = dict.fromkeys((verb, option) for verb, option in options if verb in answers)
    return b"".join(bytes((_IAC, answers[verb], option)) for verb, option in list(asked)[:_MAX_OPTIONS])


def recognise(data: bytes) -> bool:
    """Whether a server's first bytes negotiate as telnet does, or are RouterOS's login."""
    if len(data) > 2 and data[0] == _IAC and data[1] in _VERBS:  # noqa: PLR2004 - a whole command
        return data[2] <= _LAST_OPTION or data[2] in _HIGH_OPTIONS
    text = words_of(split_stream(data).text)
    return _ROUTEROS.says.search(text) is not None or _HOST_LOGIN.search(text) is not None


async def converse(line: Line, heard: bytes) -> Answer | None:
    """Refuse what is offered and demanded, and read to the prompt; there is nothing to say at the end."""
    loop = asyncio.get_running_loop()
    end = loop.time() + _LONGEST * line.patience
    sent = b""
    for _ in range(_ROUNDS):
        stream = split_stream(heard)
        answers = refusals(stream.options)
        if answers != sent:
            if not await line.send(answers[len(sent) :]):
                break
            sent = answers
        text = words_of(stream.text)
        left = end - loop.time()
        if left <= 0 or len(heard) >= _MOST or line.closed or _PROMPT.search(text[-200:]):
            break
        more = await line.read(min(left, _PAUSE if text.strip() else line.patience), _MOST - len(heard))
        if not more:
            break
        heard += more
    return parse(heard)


def parse(heard: bytes) -> Answer | None:
    """What a login's words, or else the order of the options, say; None when neither looks like telnet."""
    stream = split_stream(heard[: 2 * _MOST])
    text = words_of(stream.text).strip("\n")
    known = _ROUTEROS.says.search(text)
    if not stream.options and not known and not _LOGIN.search(text[-200:]):
        return None
    facts: dict[str, str] = {}
    if stream.options:
        facts["options"] = " ".join(f"{_VERBS[verb]}:{option}" for verb, option in stream.options[:20])
    host = _HOST_LOGIN.search(text)
    answer = answer_from(
        "telnet", stream.text.strip(), text, _NAMES, hostname=host[1] if host else None, facts=facts
    )
    if known and known["extra"]:
        channel = known["extra"]
        return replace(answer, extra_info=None, facts={**facts, "channel": channel})
    if answer.product is None:
        for order, product, cpes in _NEGOTIATIONS:
            if stream.options[: len(order)] == order:
                answer = replace(answer, product=product, cpes=cpes, os_name="Linux", complete=True)
    if system := _SYSTEM.search(text):
        answer = replace(answer, os_name="Linux", facts={**answer.facts, "system": system[1].strip()})
    if mac := _MAC.search(text):
        digits = re.sub("[^0-9A-F]", "", mac[1].upper())
        answer = replace(answer, mac=":".join(digits[at : at + 2] for at in range(0, 12, 2)))
    return replace(answer, hostname=find_hostname(answer.hostname))


PROTOCOL = TcpProtocol(
    "telnet", frozenset({23, 2323, 2601, 9999}), converse, greets=True, recognises=recognise
)
