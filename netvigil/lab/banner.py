"""Greeters that speak first and then answer by rules: FTP, SSH, SMTP, telnet, and ports that stay silent."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from netvigil.lab.conversation import Conversation, Greeter

log = logging.getLogger(__name__)

Rules = tuple[tuple[str, bytes], ...]


def banner(greeting: Callable[[], bytes], rules: Rules = (), *, goodbye: str = r"\A(?!)") -> Greeter:
    """Greets, then answers each line by the first rule that matches it; a line matching `goodbye` ends it.

    Rules are regular expressions on the line, without regard to case; a line that no rule matches stays
    unanswered.
    """
    compiled = tuple((re.compile(rule.encode(), re.IGNORECASE), reply) for rule, reply in rules)
    last = re.compile(goodbye.encode(), re.IGNORECASE)

    async def greet(talk: Conversation) -> None:
        await talk.say(greeting())
        while (line := await talk.hear_line()) is not None:
            reply = next((reply for rule, reply in compiled if rule.search(line)), None)
            if reply is not None:
                await talk.say(reply)
            if last.search(line):
                return

    return greet


def ftp(greeting: str, closing: str = "221 Goodbye.") -> Greeter:
    """An FTP server that lets nobody in (RFC 959 replies)."""
    rules: Rules = (
        (r"^USER\b", b"331 Please specify the password.\r\n"),
        (r"^PASS\b", b"530 Login incorrect.\r\n"),
        (r"^QUIT\b", closing.encode() + b"\r\n"),
        (
            r"^(HELP|SYST|FEAT|AUTH|PWD|LIST|STAT|PORT|PASV|CWD|TYPE)\b",
            b"530 Please login with USER and PASS.\r\n",
        ),
        ("", b"500 Unknown command.\r\n"),
    )
    return banner(lambda: greeting.encode() + b"\r\n", rules, goodbye=r"^QUIT\b")


def ssh(software: str) -> Greeter:
    """An SSH server up to its identification line (RFC 4253, 4.2); who speaks no SSH is turned away."""
    rules: Rules = ((r"^(?!SSH-)", b"Protocol mismatch.\r\n"),)
    return banner(f"SSH-2.0-{software}\r\n".encode, rules, goodbye=r"^(?!SSH-)")


def smtp(greeting: Callable[[], str], name: str) -> Greeter:
    """A mail server that takes no mail (RFC 5321 replies)."""
    rules: Rules = (
        (
            r"^EHLO\b",
            f"250-{name} Hello\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n250-PIPELINING\r\n250 HELP\r\n".encode(),
        ),
        (r"^HELO\b", f"250 {name} Hello\r\n".encode()),
        (r"^HELP\b", b"214-Commands supported:\r\n214 AUTH HELO EHLO MAIL RCPT DATA NOOP QUIT RSET HELP\r\n"),
        (r"^(NOOP|RSET)\b", b"250 OK\r\n"),
        (r"^(MAIL|RCPT|DATA)\b", b"550 Administrative prohibition\r\n"),
        (r"^QUIT\b", f"221 {name} closing connection\r\n".encode()),
        ("", b"500 unrecognized command\r\n"),
    )
    return banner(lambda: greeting().encode() + b"\r\n", rules, goodbye=r"^QUIT\b")


def rtsp(reply: bytes) -> Greeter:
    """A camera's stream server, which waits for a request and gives one fixed answer to each (RFC 2326)."""

    async def greet(talk: Conversation) -> None:
        while await talk.hear_until(b"\r\n\r\n", 8192):
            await talk.say(reply)

    return greet


async def silence(talk: Conversation) -> None:
    """Accepts, hears and never says a word."""
    while await talk.hear():
        pass


async def refuse_print_job(talk: Conversation) -> None:
    """A line printer daemon that hangs up on every request (RFC 1179)."""
    await talk.hear()


async def print_port(talk: Conversation) -> None:
    """A raw print port: real ones print whatever arrives, so a scanner must send nothing; each byte is told."""
    while await talk.hear():
        log.warning("the lab's print port was sent data: on a real printer this wastes paper")
