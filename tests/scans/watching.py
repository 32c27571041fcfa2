"""A client of a scan's event stream, and a real server for it: the test transport of httpx gives no answer piecemeal."""

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from netvigil.app.server import bind, serve_until


@dataclass
class Event:
    """One event of a stream as a browser would give it."""

    name: str = "message"
    id: str | None = None
    data: dict | None = None


class Watcher:
    """Reads a stream in the background: its events so far, and the comments between them."""

    def __init__(self, lines):
        self.events = []
        self.comments = 0
        self.retry = None
        self.ended = asyncio.Event()
        self._news = asyncio.Condition()
        self._task = asyncio.create_task(self._read(lines))

    async def _read(self, lines):
        event = Event()
        try:
            async for line in lines:
                field, _, value = line.partition(": ")
                if line == "":
                    if event.data is not None:
                        self.events.append(event)
                    event = Event()
                elif line.startswith(":"):
                    self.comments += 1
                elif field == "event":
                    event.name = value
                elif field == "id":
                    event.id = value
                elif field == "data":
                    event.data = json.loads(value)
                elif field == "retry":
                    self.retry = int(value)
                async with self._news:
                    self._news.notify_all()
        except httpx.HTTPError:
            pass
        finally:
            self.ended.set()
            async with self._news:
                self._news.notify_all()

    async def until(self, condition, patience=10):
        """Waits until the condition over the watcher holds."""

        async def wait():
            async with self._news:
                await self._news.wait_for(lambda: condition(self))

        try:
            await asyncio.wait_for(wait(), patience)
        except TimeoutError:
            raise AssertionError([(e.name, e.id, e.data) for e in self.events]) from None

    @property
    def log(self):
        """The events that are kept, without progress."""
        return [event for event in self.events if event.name not in {"progress", "end"}]

    @property
    def messages(self):
        return [event.data["message"] for event in self.log]

    @property
    def names(self):
        return [event.name for event in self.log]

    async def close(self):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@asynccontextmanager
async def serving(app):
    """The app on a port of loopback: its base URL and the event that stops it."""
    listener = bind("127.0.0.1", 0)
    stop = asyncio.Event()
    with listener:
        task = asyncio.create_task(serve_until(app, listener, stop))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", stop
        finally:
            stop.set()
            await task


@asynccontextmanager
async def watching(base, token, scan_id, *, last=None, query=""):
    """A stream of the scan from `last` on."""
    headers = {"Authorization": f"Bearer {token}", **({"Last-Event-ID": last} if last else {})}
    limits = httpx.Limits(max_connections=None)
    async with (
        httpx.AsyncClient(
            base_url=base, headers=headers, timeout=httpx.Timeout(10, read=60), trust_env=False, limits=limits
        ) as client,
        client.stream("GET", f"/scans/cve/{scan_id}/events{query}") as answer,
    ):
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        watcher = Watcher(answer.aiter_lines())
        try:
            yield watcher
        finally:
            await watcher.close()
