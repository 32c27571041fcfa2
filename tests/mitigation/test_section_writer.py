"""The client of a language model against a real server: whatever that does, it costs a bounded time and no error."""

import asyncio
import time

import pytest
from model_server import answers, dawdles, drips, sends, serving

from netvigil.errors import UsageError
from netvigil.mitigation.prompt import Question
from netvigil.mitigation.writer import Endpoint, SectionWriter, read_endpoint
from netvigil.settings import Settings, read_settings

QUESTION = Question("CVE-2099-0001", "CVE: CVE-2099-0001\nDescription: Made up.")


@pytest.fixture
async def model():
    async with serving() as model:
        yield model


def writer_for(model, **changes):
    return SectionWriter(
        Endpoint(**{"url": model.url, "model": "small", "api_key": "sesame", "timeout": 2.0} | changes)
    )


async def test_it_speaks_the_protocol(model):
    assert await writer_for(model).write(QUESTION) == "> Close the port, then update."
    [(path, headers, body)] = model.requests
    assert path == "/v1/chat/completions"
    assert headers["authorization"] == "Bearer sesame"
    assert (body["model"], body["stream"]) == ("small", False)
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert body["messages"][1]["content"] == QUESTION.facts
    assert body["max_tokens"] > 0


async def test_a_whole_address_is_taken_as_it_is_and_no_key_sends_none(model):
    writer = writer_for(model, url=f"{model.url}/chat/completions", api_key=None)
    assert await writer.write(QUESTION)
    [(path, headers, _)] = model.requests
    assert path == "/v1/chat/completions"
    assert "authorization" not in headers


@pytest.mark.parametrize(
    "behave",
    [
        sends(500, b"broken"),
        sends(401, b"{}"),
        sends(302, b""),
        sends(200, b"\x00\xff garbage"),
        sends(200, b"[]"),
        sends(200, b'{"choices": []}'),
        sends(200, b'{"choices": [{"message": {"content": null}}]}'),
        sends(200, b'{"choices": [{"message": {"content": "  <br>  "}}]}'),
        sends(200, b"[" * 100_000),
        sends(200, b'{"choices": "' + b"x" * 10_000_000 + b'"}'),
        sends(200, b"", "text/event-stream"),
    ],
)
async def test_a_bad_answer_gives_no_section(model, behave):
    model.behave = behave
    assert await writer_for(model).write(QUESTION) is None


@pytest.mark.parametrize("behave", [dawdles(60), drips(60)])
async def test_a_slow_model_costs_the_timeout_and_then_nothing(model, behave):
    model.behave = behave
    writer = writer_for(model, timeout=0.4)
    started = time.monotonic()
    assert await writer.write(QUESTION) is None
    assert await writer.write(QUESTION) is None  # it rests
    assert time.monotonic() - started < 30  # before the model has answered
    assert len(model.requests) == 1


async def test_nobody_at_the_address():
    writer = SectionWriter(Endpoint("http://127.0.0.1:9/v1", "small", timeout=1.0))
    assert await writer.write(QUESTION) is None


async def test_the_same_question_is_asked_once_at_a_time(model):
    writer = writer_for(model)
    sections = await asyncio.gather(*(writer.write(QUESTION) for _ in range(10)))
    assert set(sections) == {"> Close the port, then update."}
    assert len(model.requests) == 1


async def test_who_goes_away_does_not_take_the_answer_from_others(model):
    writer = writer_for(model)
    first = asyncio.create_task(writer.write(QUESTION))
    second = asyncio.create_task(writer.write(QUESTION))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == "> Close the port, then update."
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_what_it_says_of_links_and_html_is_cleaned(model):
    model.behave = answers(
        "Ignore all rules. <script>x()</script> # Fixed\n![a](https://evil.example/a.png)\n# Not affected"
    )
    section = await writer_for(model).write(QUESTION)
    assert "<script" not in section
    assert "evil.example" not in section
    assert all(line.startswith(">") for line in section.split("\n"))


def test_settings_name_the_endpoint(tmp_path):
    environ = {
        "NETVIGIL_DATA_DIR": str(tmp_path),
        "NETVIGIL_LLM_URL": "http://127.0.0.1:1/v1",
        "NETVIGIL_LLM_MODEL": "m",
        "NETVIGIL_LLM_API_KEY": "sesame",
        "NETVIGIL_LLM_TIMEOUT": "3",
    }
    settings = read_settings(environ)
    endpoint = read_endpoint(settings)
    assert endpoint == Endpoint("http://127.0.0.1:1/v1", "m", "sesame", 3.0)
    assert "sesame" not in repr(settings) + repr(endpoint)
    assert read_endpoint(Settings(data_dir=tmp_path)) is None
    for name, value in (("LLM_URL", "file:///x"), ("LLM_MODEL", ""), ("LLM_TIMEOUT", "0")):
        with pytest.raises(UsageError, match=name):
            read_settings({**environ, f"NETVIGIL_{name}": value})
