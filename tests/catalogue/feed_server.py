"""A server on loopback that plays the owners of feeds: NVD's API, plain files, and everything that can go wrong."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

CONNECTION_LOST = -1


@dataclass(frozen=True)
class Request:
    path: str
    params: dict
    headers: dict
    target: str = ""


@dataclass(frozen=True)
class Answer:
    """`cut` ends the connection after so many bytes of the body; `stated` is a Content-Length that is not true."""

    body: bytes = b""
    status: int = 200
    headers: dict = field(default_factory=dict)
    cut: int | None = None
    stated: bool = True


class FeedServer:
    """Answers with `faults` first, one a request (None lets one through), then as `pages` say by path."""

    def __init__(self):
        self.requests = []
        self.faults = []
        self.pages = {}
        self._server = None

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        await self._server.wait_closed()

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    async def _talk(self, reader, writer):
        try:
            while (request := await self._read(reader)) is not None:
                self.requests.append(request)
                fault = self.faults.pop(0) if self.faults else None
                answer = fault or self._page(request)
                if not await self._write(writer, answer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def _page(self, request):
        page = self.pages.get(request.path)
        if page is None:
            return Answer(status=404)
        return page(request) if callable(page) else page

    async def _read(self, reader):
        line = (await reader.readline()).decode()
        if not line:
            return None
        target = line.split()[1]
        headers = {}
        while (line := (await reader.readline()).decode().strip()) != "":
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        parts = urlsplit(target)
        return Request(parts.path, dict(parse_qsl(parts.query)), headers, target)

    async def _write(self, writer, answer):
        if answer.status == CONNECTION_LOST:
            writer.transport.abort()
            return False
        headers = {"Connection": "keep-alive", **answer.headers}
        if answer.stated:
            headers["Content-Length"] = str(len(answer.body))
        else:
            headers["Connection"] = "close"
        head = [f"HTTP/1.1 {answer.status} Told", *(f"{name}: {value}" for name, value in headers.items())]
        writer.write("\r\n".join([*head, "", ""]).encode() + answer.body[: answer.cut])
        await writer.drain()
        if answer.cut is not None and answer.stated:
            writer.transport.abort()
        return answer.cut is None and answer.stated


class FakeNvd:
    """NVD's API over some records, with a clock of its own and a small page."""

    def __init__(self, cves, *, page=3, now=datetime(2026, 8, 22, 12, tzinfo=UTC)):
        self.cves = list(cves)
        self.page = page
        self.now = now

    def __call__(self, request):
        start = int(request.params.get("startIndex", 0))
        size = min(self.page, int(request.params.get("resultsPerPage", 2000)))
        chosen = self.cves
        if "lastModStartDate" in request.params:
            first = datetime.fromisoformat(request.params["lastModStartDate"])
            last = datetime.fromisoformat(request.params["lastModEndDate"])
            if last - first > timedelta(days=120) or last <= first:
                return Answer(status=404, headers={"message": "Invalid date range."})
            chosen = [one for one in self.cves if first <= modified_at(one) <= last]
        return Answer(json.dumps(self.answer(chosen, start, size)).encode())

    def answer(self, chosen, start, size):
        part = chosen[start : start + size]
        return {
            "resultsPerPage": len(part),
            "startIndex": start,
            "totalResults": len(chosen),
            "format": "NVD_CVE",
            "version": "2.0",
            "timestamp": self.now.replace(tzinfo=None).isoformat(timespec="milliseconds"),
            "vulnerabilities": [{"cve": one} for one in part],
        }


def modified_at(cve):
    return datetime.fromisoformat(cve["lastModified"]).replace(tzinfo=UTC)


class FakeTime:
    """A clock that only sleeping moves; `slept` are the pauses."""

    def __init__(self):
        self.now = 0.0
        self.slept = []

    def clock(self):
        return self.now

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)
