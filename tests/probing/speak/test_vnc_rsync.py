"""VNC and rsync tell a protocol's version in their first line, and are told nothing."""

from __future__ import annotations

import pytest
from scripted import says

from netvigil.probing.speak.tcp import rsync, vnc


@pytest.mark.parametrize(
    ("heard", "product", "extra"),
    [
        (b"RFB 003.008\n", "VNC", "protocol 3.8"),
        (b"RFB 003.889\n", "Apple remote desktop vnc", "protocol 3.889"),
        (b"RFB 005.000\n", "RealVNC Enterprise", "protocol 5.0"),
        (b"RFB 003.003\n\x00\x00\x00\x00Too many security failures", "VNC", "protocol 3.3; Locked out"),
    ],
)
def test_vnc_names_its_protocol(heard, product, extra):
    answer = vnc.parse(heard)
    assert (answer.name, answer.product, answer.version, answer.extra_info) == ("vnc", product, None, extra)
    assert vnc.recognise(heard)


@pytest.mark.parametrize("heard", [b"", b"RFB 3.8\n", b"RFB 003.00", b"RFB 003.008 \n", b"\xffRFB 003.008\n"])
def test_what_is_no_vnc_is_nothing(heard):
    assert vnc.parse(heard) is None
    assert not vnc.recognise(heard)


@pytest.mark.parametrize(
    ("heard", "facts"),
    [
        (b"@RSYNCD: 30.0\n", {"protocol": "30.0"}),
        (b"@RSYNCD: 32.0 sha512 md5 md4\n", {"protocol": "32.0", "digests": "sha512 md5 md4"}),
        (b"@RSYNCD: 29\n", {"protocol": "29"}),
    ],
)
def test_rsync_names_its_protocol(heard, facts):
    answer = rsync.parse(heard)
    assert (answer.name, answer.product, answer.facts) == ("rsync", None, facts)
    assert answer.extra_info == f"protocol version {facts['protocol']}"


def test_what_is_no_rsync_is_nothing():
    assert rsync.parse(b"@RSYNCD: x\n") is None
    assert rsync.parse(b"@ERROR: access denied\n") is None


@pytest.mark.parametrize(
    ("module", "pieces"), [(vnc, (b"RFB 00", b"3.008\n")), (rsync, (b"@RSYN", b"CD: 31.0 md5\n"))]
)
async def test_a_greeting_in_pieces_is_read_and_nothing_is_sent(bench, module, pieces):
    port = await bench.serve(says(b"".join(pieces)))
    line = await bench.dial(port)
    answer = await module.PROTOCOL.converse(line, await line.read_exactly(len(pieces[0])))
    line.close()
    assert answer.name == module.PROTOCOL.name
    assert bench.received[port] == [b""]
