"""Brokers that introduce themselves by AMQP."""

from __future__ import annotations

import pytest
from binary_samples import amqp_start
from scripted import says

from netvigil.probing.speak.tcp.amqp import PROTOCOL, parse, recognise

HEADER = b"AMQP\0\0\x09\x01"
RABBIT = amqp_start(
    product="RabbitMQ", version="3.10.8", platform="Erlang/OTP 25.2.3", cluster_name="rabbit@mq1"
)


def test_rabbitmq_states_its_version():
    answer = parse(RABBIT)
    assert (answer.name, answer.product, answer.version, answer.extra_info) == (
        "amqp",
        "RabbitMQ",
        "3.10.8",
        "0-9",
    )
    assert answer.banner == b"RabbitMQ 3.10.8\nErlang/OTP 25.2.3"
    assert answer.facts["cluster_name"] == "rabbit@mq1"
    assert answer.complete


@pytest.mark.parametrize(
    ("header", "protocol"), [(HEADER, "0.9.1"), (b"AMQP\3\1\0\0", "1.0"), (b"AMQP\0\1\0\0", "1.0.0")]
)
def test_a_header_tells_the_protocol(header, protocol):
    assert recognise(header)
    assert parse(header).facts == {"protocol": protocol}


@pytest.mark.parametrize(
    "data", [b"", b"AMQP", b"AMQPabcd", RABBIT[:-1], RABBIT[:-1] + b"\0", b"\x01\0\0\xff\xff\xff\xff"]
)
def test_other_bytes_are_not_amqp(data):
    assert not recognise(data)


async def test_only_the_header_is_sent(bench):
    port = await bench.serve(says(b"", RABBIT))
    line = await bench.dial(port)
    assert (await PROTOCOL.converse(line, b"")).version == "3.10.8"
    line.close()
    assert bench.received[port] == [HEADER]


async def test_its_answer_to_a_web_request_is_followed_up(bench):
    port = await bench.serve(says(b"", RABBIT))
    line = await bench.dial(port)
    assert (await PROTOCOL.converse(line, HEADER)).version == "3.10.8"
    line.close()
    assert bench.received[port] == [b"", HEADER]


async def test_a_broker_of_another_protocol_is_named(bench):
    port = await bench.serve(says(b"", b"AMQP\3\1\0\0"))
    line = await bench.dial(port)
    assert (await PROTOCOL.converse(line, b"")).extra_info == "protocol 1.0"
    line.close()
