"""Find out what one open port speaks: wait for a greeting or ask, in the order that its number suggests, then try the rest."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from netvigil.probing.ports import BINARY_PORTS, TLS_PORTS
from netvigil.probing.speak.answer import Answer
from netvigil.probing.speak.catalogue import TCP
from netvigil.probing.speak.tcp.http import PROTOCOL as HTTP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netvigil.probing.limits import ScanLimits
    from netvigil.probing.speak.dial import Dialler
    from netvigil.probing.speak.line import Line
    from netvigil.probing.speak.protocol import TcpProtocol


_TRIES = 3  # for a port that hangs up at once: some answer only now and then
_HEAD_START = 0.7  # seconds that HTTP gets before the other questions are asked beside it
_TLS_GREETING_WAIT = 0.8
_SLOW_ANSWER = 3  # times the usual wait, for a server that is known to be one
_KEPT = 16 * 1024
# A WinBox that tells our requests nothing may still answer the one that nmap has for it.
_REFUSING = {"winbox"}
# What web servers say to a plain request on their TLS port.
_WANTS_TLS = (
    b"plain HTTP request was sent to HTTPS",
    b"speaking plain HTTP to an SSL",
    b"HTTP request to an HTTPS",
)


class Ended(StrEnum):
    """How a port took our questions."""

    ANSWERED = "answered"  # a protocol's module understood it
    SPOKE = "spoke"  # it said something that none of them knows
    SILENT = "silent"  # took everything and said nothing
    CLOSED = "closed"  # hung up on everything without a word
    GONE = "gone"  # takes no connection any more


@dataclass(slots=True)
class Talk:
    """What came of one port. `greeting` and `web` are bytes as sent (16 kB at most): unasked, and to a web request."""

    port: int
    ended: Ended = Ended.GONE
    answer: Answer | None = None
    greeting: bytes = b""
    web: bytes = b""
    tls: bool = False
    certificate: bytes | None = None
    tls_version: str | None = None
    heard: list[bytes] = field(default_factory=list)
    """Whatever else was said, in the order of our questions."""


async def talk_to(
    host: Dialler, port: int, limits: ScanLimits, protocols: Sequence[TcpProtocol] = TCP
) -> Talk:
    """Speak to the port until somebody understands it or every question was asked."""
    return await _Conversation(host, port, limits, protocols).run()


class _Conversation:
    def __init__(
        self, host: Dialler, port: int, limits: ScanLimits, protocols: Sequence[TcpProtocol]
    ) -> None:
        self.host = host
        self.port = port
        self.limits = limits
        self.protocols = protocols
        self.talk = Talk(port)
        self._asked_everything = False
        self._in_flight: TcpProtocol | None = None
        self._overheard = b""
        self._quiet: Line | None = None

    async def run(self) -> Talk:
        try:
            await self._run()
        finally:
            if self._quiet is not None:
                self._quiet.close()
        return self.talk

    async def _run(self) -> None:
        inner = TLS_PORTS.get(self.port)
        if inner is not None and await self._in_tls(inner):
            return
        expected = [protocol for protocol in self.protocols if self.port in protocol.ports]
        if await self._plain(expected):
            if self._wants_tls():
                await self._in_tls(None)
            return
        if self.talk.ended is not Ended.GONE and self.port not in BINARY_PORTS:
            await self._anything()

    def _wants_tls(self) -> bool:
        return any(words in self.talk.web for words in _WANTS_TLS)

    async def _plain(self, expected: Sequence[TcpProtocol]) -> bool:
        """Those expected on this port first: who greets is waited for, who is asked is asked."""
        asked = [protocol for protocol in expected if not protocol.greets]
        for protocol in asked:
            if await (self._ask_first(protocol) if protocol is HTTP else self._ask(protocol)):
                return True
        if asked and len(asked) == len(expected):
            return False
        return await self._wait_for_greeting(slow=bool(expected))

    async def _wait_for_greeting(self, *, slow: bool) -> bool:
        """Give the server time to speak first; in an unexpected silence others are asked, and this line stays quiet."""
        wait = self.limits.slow_greeting_wait if slow else self.limits.greeting_wait
        for _ in range(_TRIES):
            line = await self.host.dial(self.port)
            if line is None:
                continue
            try:
                greeting = await line.read(wait)
                if greeting:
                    self.talk.greeting = greeting[:_KEPT]
                    return await self._understand(line, greeting)
                self._note_silence(line)
                if not line.closed and self.port not in BINARY_PORTS:
                    self._quiet = line
                    return await self._ask_first(HTTP)
                if not line.closed:
                    return False
            finally:
                if line is not self._quiet:
                    line.close()
        return False

    async def _hear_late(self, line: Line) -> bool:
        """A server that greets as late as one does that first asks the DNS for our name, and hears nothing before."""
        greeting = await line.read(max(0.0, self.limits.slow_greeting_wait - self.limits.greeting_wait))
        self.talk.greeting = greeting[:_KEPT] or self.talk.greeting
        return bool(greeting) and await self._understand(line, greeting)

    async def _ask_first(self, protocol: TcpProtocol) -> bool:
        """The question that fits best, and when it is not answered at once all others beside it."""
        first = asyncio.ensure_future(self._ask(protocol))
        self._in_flight = protocol
        try:
            return await asyncio.wait_for(asyncio.shield(first), _HEAD_START)
        except TimeoutError:
            others = asyncio.ensure_future(self._anything())
            try:
                done, _ = await asyncio.wait({first, others}, return_when=asyncio.FIRST_COMPLETED)
                if not any(task.result() for task in done):
                    await asyncio.wait({first, others})
            finally:
                await _end(others)
            return self.talk.answer is not None or await self._ask_overheard(protocol)
        finally:
            self._in_flight = None
            await _end(first)

    async def _ask_overheard(self, protocol: TcpProtocol) -> bool:
        """Once more the first question, if the port spoke its protocol to others but left it without an answer."""
        self._in_flight = None
        if not self._overheard:
            return False
        # It is there and slow: now it gets the time that a silent port would not be worth.
        patience = _SLOW_ANSWER * self.limits.answer_wait
        return await self._ask(protocol, patience) or self._settle(Answer(protocol.name, self._overheard))

    async def _anything(self) -> bool:
        """Questions for a port of unknown purpose, at once: TLS, and the protocols that are found anywhere."""
        if self.talk.answer is not None or self._asked_everything:
            return self.talk.answer is not None
        self._asked_everything = True
        # On a port that is known for TLS that has been tried, with more patience than here.
        questions = [] if self.port in TLS_PORTS else [asyncio.ensure_future(self._in_tls(None))]
        tried = {protocol.name for protocol in self.protocols if self.port in protocol.ports}
        questions += [
            asyncio.ensure_future(self._ask(protocol))
            for protocol in self.protocols
            if protocol.anywhere and protocol.name not in tried
        ]
        if self._quiet is not None:
            questions.append(asyncio.ensure_future(self._hear_late(self._quiet)))
        try:
            for question in asyncio.as_completed(questions):
                if await question:
                    return True
        finally:
            for task in questions:
                await _end(task)
        return False

    async def _ask(self, protocol: TcpProtocol, patience: float | None = None) -> bool:
        """One client's question on a line of its own, again when the port hangs up without a word."""
        for _ in range(_TRIES):
            line = await self.host.dial(self.port, patience=patience)
            if line is None:
                continue
            try:
                if await self._hear(protocol, line, b""):
                    return True
                if line.heard or not line.closed:
                    return False
            finally:
                line.close()
        return False

    async def _in_tls(self, inner: str | None) -> bool:
        """The same inside TLS, in a talk of its own; a handshake alone is already an answer, if only that of `ssl`."""
        # Old devices compute a handshake for seconds; a port that is not known for TLS is not waited for that long.
        patience = self.limits.answer_wait * (2 if inner is not None else 1)
        line = await self.host.dial(self.port, tls=True, patience=patience)
        if line is None:
            return False
        inside = _Conversation(self.host, self.port, self.limits, self.protocols)
        inside.talk = Talk(
            self.port, Ended.SPOKE, tls=True, certificate=line.certificate, tls_version=line.tls_version
        )
        try:
            await inside.speak_inside(line, inner)
        finally:
            line.close()
        if self.talk.answer is None or self._wants_tls():
            self.talk = inside.talk
        return True

    async def speak_inside(self, line: Line, inner: str | None) -> None:
        """Speak on a line that is in TLS already; `inner` is the protocol that the port's number suggests."""
        expected = next((protocol for protocol in self.protocols if protocol.name == inner), None)
        if expected is not None and not expected.greets:
            await self._hear(expected, line, b"")
            return
        slow = expected is not None
        greeting = await line.read(self.limits.slow_greeting_wait if slow else _TLS_GREETING_WAIT)
        if greeting:
            self.talk.greeting = greeting[:_KEPT]
            await self._understand(line, greeting)
        elif not line.closed:
            await self._hear(HTTP, line, b"")

    async def _hear(self, protocol: TcpProtocol, line: Line, heard: bytes) -> bool:
        """Let a module converse; what it does not understand is shown to all others."""
        answer = await protocol.converse(line, heard)
        if self.talk.ended is Ended.ANSWERED and self.talk.answer is not None:
            return True  # another question was quicker
        if protocol is HTTP:
            self.talk.web = line.heard[:_KEPT]
        if answer is not None:
            return self._settle(answer)
        self._note_silence(line)
        return bool(line.heard) and await self._understand(line, line.heard[:_KEPT], protocol.name)

    async def _understand(self, line: Line, heard: bytes, asker: str | None = None) -> bool:
        """Find the protocol whose words these are, and let it go on from there."""
        self.talk.heard.append(heard)
        self.talk.ended = Ended.SPOKE
        for protocol in self.protocols:
            if protocol.recognises(heard):
                if protocol is self._in_flight and asker not in {None, protocol.name}:
                    # A complaint about a foreign question: its own client, still waiting, will be told more.
                    self._overheard = heard
                    return False
                answer = await protocol.converse(line, heard)
                return answer is not None and self._settle(answer)
        return False

    def _settle(self, answer: Answer) -> bool:
        self.talk.answer = answer
        self.talk.ended = Ended.ANSWERED
        return True

    def _note_silence(self, line: Line) -> None:
        if self.talk.ended in {Ended.GONE, Ended.CLOSED} and not line.heard:
            self.talk.ended = Ended.CLOSED if line.closed else Ended.SILENT


async def _end(task: asyncio.Future[bool]) -> None:
    if not task.done():
        task.cancel()
        await asyncio.wait({task})


def is_expected(port: int, protocols: Sequence[TcpProtocol] = TCP) -> bool:
    """Whether one of our protocols lives on this port, so that a port that stayed silent has been asked the right thing."""
    return port in TLS_PORTS or any(
        port in protocol.ports for protocol in protocols if protocol.name not in _REFUSING
    )
