"""MQTT brokers: with a version, without, refusing; and every byte that they are sent."""

from __future__ import annotations

import pytest
from binary_samples import mqtt_publish, sent_to
from scripted import says

from netvigil.probing.speak.tcp.mqtt import PROTOCOL, parse, recognise

ACCEPTED, WRONG_PROTOCOL = b"\x20\x02\0\0", b"\x20\x02\0\x01"
SUBACK = b"\x90\x03\0\x01\0"
VERSION = mqtt_publish(b"$SYS/broker/version", b"mosquitto version 2.0.11")
CONNECT = b"\x10\x1d\0\x04MQTT\x04\x02\0\x3c\0\x11netvigil-"
SUBSCRIBE = b"\x82\x18\0\x01\0\x13$SYS/broker/version\0"


@pytest.mark.parametrize(
    ("words", "product", "version"),
    [
        (b"mosquitto version 2.0.11", "mosquitto", "2.0.11"),
        (b"mosquitto version 1.4.8", "mosquitto", "1.4.8"),
        (b"HBMQTT version 0.9.5", "HBMQTT", "0.9.5"),
        (b"", None, None),
        (b"\xff\xfe", None, None),
    ],
)
def test_a_published_version_is_read(words, product, version):
    answer = parse(ACCEPTED, words)
    assert (answer.name, answer.product, answer.version) == ("mqtt", product, version)
    assert answer.facts == {"connack": "accepted"}


@pytest.mark.parametrize(
    "data", [b"", b"\x20\x02\0", b"\x20\x02\0\x09", b"\x20\x02\x01\x05", b"\x20\x02\0\0\0"]
)
def test_other_bytes_are_no_connack(data):
    assert not recognise(data)
    assert parse(data, b"") is None


async def test_it_connects_asks_and_disconnects(bench):
    port = await bench.serve(says(b"", ACCEPTED, SUBACK + VERSION))
    line = await bench.dial(port)
    answer = await PROTOCOL.converse(line, b"")
    line.close()
    assert (answer.product, answer.version, answer.complete) == ("mosquitto", "2.0.11", True)
    assert answer.banner == b"mosquitto version 2.0.11"
    sent = await sent_to(bench, port, b"\xe0\0")
    assert sent.startswith(CONNECT)
    assert sent[len(CONNECT) + 8 :] == SUBSCRIBE + b"\xe0\0"


async def test_a_broker_that_wants_credentials_is_left_alone(bench):
    port = await bench.serve(says(b"", b"\x20\x02\0\x05"))
    line = await bench.dial(port)
    answer = await PROTOCOL.converse(line, b"")
    line.close()
    assert (answer.extra_info, answer.complete) == ("not authorized", True)
    assert len(bench.received[port]) == 1
    assert len(bench.received[port][0]) == len(CONNECT) + 8


async def test_the_older_protocol_is_tried_when_the_newer_is_refused(bench):
    replies = [says(b"", WRONG_PROTOCOL), says(b"", ACCEPTED, b"\x90\x03\0\x01\x80")]

    async def script(reader, writer):
        await replies.pop(0)(reader, writer)

    port = await bench.serve(script)
    line = await bench.dial(port)
    answer = await PROTOCOL.converse(line, b"")
    line.close()
    assert answer.facts == {"connack": "accepted"}
    assert bench.received[port][1].startswith(b"\x10\x1f\0\x06MQIsdp\x03\x02")


async def test_other_messages_do_not_hide_the_version(bench):
    port = await bench.serve(says(b"", ACCEPTED, SUBACK + mqtt_publish(b"other", b"x") + VERSION))
    line = await bench.dial(port)
    assert (await PROTOCOL.converse(line, b"")).version == "2.0.11"
    line.close()


@pytest.mark.parametrize(
    "said", [b"\x30\xff\xff\xff\x7f", b"\x30\xff\xff\xff\xff\xff", b"\x30\x05\0\x50$SYS"]
)
async def test_a_broker_that_lies_about_lengths_is_still_a_broker(bench, said):
    port = await bench.serve(says(b"", ACCEPTED, said))
    line = await bench.dial(port, patience=0.2)
    answer = await PROTOCOL.converse(line, b"")
    line.close()
    assert (answer.name, answer.version) == ("mqtt", None)


async def test_a_connack_to_somebody_elses_request_is_kept(bench):
    port = await bench.serve(says(b""))
    line = await bench.dial(port, patience=0.1)
    answer = await PROTOCOL.converse(line, b"\x20\x02\0\x02")
    line.close()
    assert answer.facts == {"connack": "client id rejected"}
