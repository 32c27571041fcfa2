"""MongoDB's answers to a driver's first questions, and a BSON reader that nothing breaks."""

from __future__ import annotations

import struct

import pytest
from binary_samples import bson, mongodb_reply
from scripted import says

from netvigil.probing.speak.tcp.mongodb import PROTOCOL, read_document, read_reply, recognise

HTTP = b"HTTP/1.0 200 OK\r\n\r\nIt looks like you are trying to access MongoDB over HTTP on the native driver port.\r\n"
NEW = bson(ismaster=True, topologyVersion=bson(counter=0), maxWireVersion=17, setName="rs0", ok=1.0)
OLD = bson(ismaster=True, maxBsonObjectSize=16777216, ok=1.0)
BUILD = bson(version="6.0.14", gitVersion="25225db95574916fecab3af75b184409f8713aef", ok=1.0)


def kinds(data: bytes) -> list[int]:
    """The kinds of the messages in a stream."""
    found, at = [], 0
    while at < len(data):
        length, _, _, kind = struct.unpack_from("<4i", data, at)
        found.append(kind)
        at += length
    return found


async def test_a_new_server_is_asked_for_its_build_in_the_new_form(bench):
    port = await bench.serve(says(b"", mongodb_reply(NEW), mongodb_reply(BUILD, modern=True)))
    line = await bench.dial(port)
    answer = await PROTOCOL.converse(line, b"")
    line.close()
    assert (answer.name, answer.product, answer.version, answer.complete) == (
        "mongodb",
        "MongoDB",
        "6.0.14",
        True,
    )
    assert answer.facts["replica_set"] == "rs0"
    sent = bench.received[port][0]
    assert kinds(sent) == [2004, 2013]
    assert b"admin.$cmd\0" in sent
    assert b"buildInfo\0\x01\0\0\0\x02$db\0\x06\0\0\0admin\0" in sent


async def test_an_old_server_is_asked_in_the_old_form(bench):
    port = await bench.serve(says(b"", mongodb_reply(OLD), mongodb_reply(bson(version="2.6.12", ok=1.0))))
    line = await bench.dial(port)
    answer = await PROTOCOL.converse(line, b"")
    line.close()
    assert answer.version == "2.6.12"
    assert kinds(bench.received[port][0]) == [2004, 2004]


async def test_a_server_that_keeps_its_build_is_named_without_version(bench):
    refusal = mongodb_reply(bson(ok=0.0, errmsg="command buildInfo requires authentication"), modern=True)
    port = await bench.serve(says(b"", mongodb_reply(NEW), refusal))
    line = await bench.dial(port)
    answer = await PROTOCOL.converse(line, b"")
    line.close()
    assert (answer.version, answer.complete) == (None, False)
    assert answer.facts["message"].endswith("requires authentication")


async def test_its_answer_to_a_web_request_leads_to_a_line_of_its_own(bench):
    assert recognise(HTTP)
    port = await bench.serve(says(b"", mongodb_reply(NEW), mongodb_reply(BUILD, modern=True)))
    line = await bench.dial(port)
    assert (await PROTOCOL.converse(line, HTTP)).version == "6.0.14"
    line.close()
    assert bench.received[port][0] == b""


async def test_it_is_named_even_if_it_then_hangs_up(bench):
    async def script(reader, writer):
        return

    port = await bench.serve(script)
    line = await bench.dial(port)
    assert (await PROTOCOL.converse(line, HTTP)).product == "MongoDB"
    line.close()


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        mongodb_reply(bson(version="1.0")),
        mongodb_reply(NEW)[:-1],
    ],
)
async def test_others_are_not_mongodb(bench, said):
    port = await bench.serve(says(b"", said))
    line = await bench.dial(port, patience=0.2)
    assert await PROTOCOL.converse(line, b"") is None
    line.close()


def test_other_kinds_of_fields_are_passed_over():
    fields = (
        b"\x07id\0" + bytes(12) + b"\x05bin\0\x02\0\0\0\0ab" + b"\x0bre\0a\0i\0" + b"\x12long\0" + b"\xff" * 8
        + b"\x04list\0" + bson() + b"\x13d\0" + bytes(16) + b"\x0anull\0" + b"\x10n\0\x05\0\0\0"
    )  # fmt: skip
    data = struct.pack("<i", len(fields) + 5) + fields + b"\0"
    assert read_document(data) == {"long": -1, "n": 5}


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xff\xff\x7f\0", b"\x08\0\0\0\x02a\0", b"\x07\0\0\0\x55a\0", bson(a="x")[:-3]]
)
def test_broken_documents_are_none(data):
    assert read_document(data) is None
    assert read_reply(data) is None
