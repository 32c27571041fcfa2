"""Fetches one answer into a file: bounded, patient with failures that pass, plain about those that do not."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING

import httpx
import structlog

from netvigil.catalogue.feeds.base import DamagedFile
from netvigil.catalogue.sync.settings import shown_url
from netvigil.catalogue.sync.waits import pause_after, retry_after
from netvigil.errors import EnvironmentFault, FeedError, UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from netvigil.catalogue.sync.waits import Pace, Waits

ATTEMPTS = 6
LONGEST_WAIT = 900.0
"""Seconds; a server that asks for more is asked again by the next sync."""
ATTEMPT_SECONDS = 3600.0
"""The longest that one answer may take, however steadily it drips."""

_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_FORBIDDEN = 403
_OK = 200
_UNCHANGED = 304
_SHOWN_TEXT = 200
_TIMEOUT = httpx.Timeout(60.0, connect=20.0)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to ask for; `limit` is the most bytes. `headers` may hold a key: they never go along a redirect.

    `throttled_by_403` is for a server that says 403 to who is too fast, as NVD does.
    """

    url: str
    limit: int
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    throttled_by_403: bool = False
    redirects: bool = True


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came. The file has the bytes as they were sent, often compressed; none was written if `unchanged`."""

    unchanged: bool
    etag: str | None
    last_modified: str | None


class _Passing(Exception):
    """The attempt failed in a way in which another may not.

    `wait` is what the server asks for in seconds, `throttled` whether it finds us too fast.
    """

    def __init__(self, reason: str, *, wait: float | None = None, throttled: bool = False) -> None:
        super().__init__(reason)
        self.wait = wait
        self.throttled = throttled


@asynccontextmanager
async def open_client() -> AsyncIterator[httpx.AsyncClient]:
    """A client that honours the environment's proxies and certificates; UsageError where they are wrong."""
    headers = {"User-Agent": f"netvigil/{version('netvigil')}", "Accept-Encoding": "gzip"}
    try:
        client = httpx.AsyncClient(timeout=_TIMEOUT, headers=headers, max_redirects=5, trust_env=True)
    except (httpx.InvalidURL, ValueError, OSError) as error:
        raise UsageError("A proxy or a certificate that the environment names is not usable.") from error
    async with client:
        yield client


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Fetches from one server, within its pace if it has one."""

    client: httpx.AsyncClient
    waits: Waits
    pace: Pace | None = None

    async def fetch(
        self, wanted: Wanted, to: Path, *, check: Callable[[Path], None] | None = None
    ) -> Fetched:
        """One answer into the file `to`, in at most ATTEMPTS attempts.

        `check` looks at the file, in a thread, and raises DamagedFile for an answer that another attempt may
        mend. Raises FeedError, one sentence that names the server and never a secret; EnvironmentFault when
        the file cannot be written.
        """
        place = shown_url(wanted.url)
        failures = 0
        while True:
            try:
                return await self._attempt(wanted, to, check)
            except _Passing as failure:
                failures += 1
                pause = self._pause(failure, failures)
                if failures == ATTEMPTS:
                    raise FeedError(f"{place}: {failure}, and so {ATTEMPTS} times.") from failure
                if pause > LONGEST_WAIT:
                    raise FeedError(
                        f"{place}: {failure}, and is to be asked in {pause:.0f} seconds again."
                    ) from failure
                log.info("fetching again", url=place, reason=str(failure), pause=round(pause, 1))
                await self.waits.sleep(pause)

    def _pause(self, failure: _Passing, failures: int) -> float:
        if failure.wait is not None:
            return max(failure.wait, pause_after(failures, self.waits))
        least = self.pace.seconds if failure.throttled and self.pace is not None else 0.0
        return max(least, pause_after(failures, self.waits))

    async def _attempt(self, wanted: Wanted, to: Path, check: Callable[[Path], None] | None) -> Fetched:
        if self.pace is not None:
            await self.pace.turn()
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                fetched = await self._answer(wanted, to)
            if check is not None and not fetched.unchanged:
                await asyncio.to_thread(check, to)
        except DamagedFile as error:
            raise _Passing(f"its answer is damaged ({error})") from error
        except TimeoutError as error:
            raise _Passing("its answer does not come to an end") from error
        except (httpx.TooManyRedirects, httpx.UnsupportedProtocol) as error:
            raise FeedError(
                f"{shown_url(wanted.url)} leads elsewhere, without end or not by HTTP."
            ) from error
        except httpx.RequestError as error:
            text = str(error) or type(error).__name__
            raise _Passing(f"the connection failed ({text[:_SHOWN_TEXT]})") from error
        return fetched

    async def _answer(self, wanted: Wanted, to: Path) -> Fetched:
        url = httpx.URL(wanted.url).copy_merge_params(dict(wanted.params))
        redirects = wanted.redirects and not wanted.headers.keys() - {"If-None-Match", "If-Modified-Since"}
        async with self.client.stream(
            "GET", url, headers=dict(wanted.headers), follow_redirects=redirects
        ) as response:
            _refuse_downgrade(wanted, response)
            headers = response.headers
            fetched = Fetched(
                unchanged=response.status_code == _UNCHANGED,
                etag=headers.get("etag"),
                last_modified=headers.get("last-modified"),
            )
            if not fetched.unchanged:
                _refuse_failure(wanted, response)
                await _save(response, to, wanted.limit)
            return fetched


def _refuse_downgrade(wanted: Wanted, response: httpx.Response) -> None:
    if wanted.url.startswith("https:") and response.url.scheme != "https":
        raise FeedError(f"{shown_url(wanted.url)} leads to a page that is not encrypted.")


def _refuse_failure(wanted: Wanted, response: httpx.Response) -> None:
    status = response.status_code
    if status == _OK:
        return
    wait = retry_after(response.headers)
    throttled = status == httpx.codes.TOO_MANY_REQUESTS or (status == _FORBIDDEN and wanted.throttled_by_403)
    if status in _PASSING or throttled or (status == _FORBIDDEN and wait is not None):
        raise _Passing(f"it answers {status}", wait=wait, throttled=throttled)
    told = _told(wanted, response.headers.get("message", ""))
    raise FeedError(f"{shown_url(wanted.url)} answers {status}{told}.")


def _told(wanted: Wanted, message: str) -> str:
    """What NVD says in its header `message`, fit to be shown: it may repeat what it was sent."""
    for secret in wanted.headers.values():
        message = message.replace(secret, "(secret)")
    text = "".join(one for one in message if one.isprintable())[:_SHOWN_TEXT].rstrip(". ")
    return f": {text}" if text else ""


async def _save(response: httpx.Response, to: Path, limit: int) -> None:
    """The body as it was sent: what is compressed stays so, and is read later with limits of its own."""
    stated = response.headers.get("content-length", "")
    size = int(stated[:18]) if stated.isascii() and stated.isdigit() else 0
    try:
        with to.open("wb") as file:
            async for chunk in response.aiter_raw():
                file.write(chunk)
                size = max(size, file.tell())
                if size > limit:
                    raise FeedError(f"{shown_url(str(response.request.url))} sends more than {limit} bytes.")
    except OSError as error:
        raise EnvironmentFault(f"What is fetched cannot be stored: {error}.") from error
