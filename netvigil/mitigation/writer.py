"""Asks an OpenAI-compatible endpoint for a section; whatever goes wrong there costs a bounded time and nothing else."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import httpx
import orjson
import structlog

from netvigil.mitigation.cleaning import clean_written

if TYPE_CHECKING:
    from netvigil.mitigation.prompt import Question
    from netvigil.settings import Settings

log = structlog.get_logger(__name__)
MAX_ANSWER_BYTES: Final = 256 * 1024
MAX_TOKENS: Final = 700
REST_SECONDS: Final = 60.0
_PATH: Final = "/chat/completions"


class WriterError(Exception):
    """The endpoint gave no usable text; for the log alone."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint of the chat completions protocol: its base URL (`…/v1`) or whole address, and the model to use there."""

    url: str
    model: str
    api_key: str | None = field(default=None, repr=False)
    timeout: float = 10.0

    @property
    def address(self) -> str:
        """Where the question is posted."""
        base = self.url.rstrip("/")
        return base if base.endswith(_PATH) else f"{base}{_PATH}"


def read_endpoint(settings: Settings) -> Endpoint | None:
    """The endpoint that the settings name; None where there is none."""
    if settings.llm_url is None or settings.llm_model is None:
        return None
    return Endpoint(settings.llm_url, settings.llm_model, settings.llm_api_key, settings.llm_timeout)


class SectionWriter:
    """Writes sections by one endpoint: each question once at a time, and none for a minute after a failure.

    So an endpoint that is down costs one request a minute its timeout, not every request.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._resting_until = 0.0
        self._asking: dict[str, asyncio.Task[str | None]] = {}

    async def write(self, question: Question) -> str | None:
        """The section, cleaned; None after a failure, and while the endpoint rests. Never longer than the timeout."""
        if time.monotonic() < self._resting_until:
            return None
        task = self._asking.get(question.digest)
        if task is None:
            task = asyncio.create_task(self._ask(question), name=f"section on {question.cve_id}")
            self._asking[question.digest] = task
            task.add_done_callback(lambda _: self._asking.pop(question.digest, None))
        try:
            # a client that goes away must not take the answer from others who wait for it
            return await asyncio.wait_for(asyncio.shield(task), self.endpoint.timeout)
        except TimeoutError:
            return None

    async def _ask(self, question: Question) -> str | None:
        try:
            async with asyncio.timeout(self.endpoint.timeout):
                section = _text_of(await self._post(question))
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, WriterError, OSError, ValueError) as error:
            self._resting_until = time.monotonic() + REST_SECONDS
            reason = str(error) or type(error).__name__
            log.warning("no section by the language model", cve=question.cve_id, reason=reason[:300])
            return None
        return section

    async def _post(self, question: Question) -> bytes:
        body = {
            "model": self.endpoint.model,
            "messages": question.messages,
            "max_tokens": MAX_TOKENS,
            "temperature": 0.2,
            "stream": False,
        }
        headers = {"Accept": "application/json"}
        if self.endpoint.api_key:
            headers["Authorization"] = f"Bearer {self.endpoint.api_key}"
        async with (
            httpx.AsyncClient(timeout=self.endpoint.timeout, follow_redirects=False) as client,
            client.stream("POST", self.endpoint.address, json=body, headers=headers) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                raise WriterError(f"the endpoint answered {answer.status_code}")
            content = bytearray()
            async for chunk in answer.aiter_bytes():
                content += chunk
                if len(content) > MAX_ANSWER_BYTES:
                    raise WriterError("the answer is too large")
            return bytes(content)


def _text_of(content: bytes) -> str:
    """The first choice's text, cleaned; raises WriterError for anything that is not in the protocol's form."""
    try:
        answer: Any = orjson.loads(content)
        text = answer["choices"][0]["message"]["content"]
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError):
        raise WriterError("the answer is not in the form of chat completions") from None
    section = clean_written(text) if isinstance(text, str) else ""
    if not section:
        raise WriterError("the answer holds no text")
    return section
