"""What nmap makes of recorded words, replayed to it on loopback."""

from __future__ import annotations

from small_devices import needs_nmap

from netvigil.probing.replay import Words, cut_probes, name_words

pytestmark = needs_nmap

ROUTER = (
    b"HTTP/1.1 401 N/A\r\nServer: Router Webserver\r\nConnection: close\r\n"
    b'WWW-Authenticate: Basic realm="TP-LINK Wireless N Router WR841N"\r\nContent-Type: text/html\r\n\r\n'
)


async def test_recordings_are_named_together():
    named = await name_words(
        {
            "ssh": Words(b"SSH-2.0-OpenSSH_8.4p1 Debian-5+deb11u3\r\n", b""),
            "web": Words(b"", b"HTTP/1.1 200 OK\r\nServer: Apache/2.4.49 (Unix)\r\n\r\n<html></html>"),
            "router": Words(b"", ROUTER),
            "ftp": Words(b"220 (vsFTPd 3.0.3)\r\n", b""),
            "unknown": Words(b"", b"\x00\x01\x02 what is this\r\n"),
            "silent": Words(b"", b""),
        }
    )
    assert (named["ssh"].product, named["ssh"].version) == ("OpenSSH", "8.4p1 Debian 5+deb11u3")
    assert (named["web"].product, named["web"].version) == ("Apache httpd", "2.4.49")
    assert "TP-LINK" in named["router"].product
    assert (named["ftp"].product, named["ftp"].version) == ("vsftpd", "3.0.3")
    assert "silent" not in named
    assert "unknown" not in named or named["unknown"].product is None


async def test_nothing_said_asks_nobody():
    assert await name_words({}) == {}


def test_the_probe_file_keeps_only_the_questions_that_were_asked():
    text = (
        "Exclude T:9100-9107\n"
        "Probe TCP NULL q||\ntotalwaitms 6000\ntcpwrappedms 3000\nmatch a m|^a| p/A/\n"
        "Probe TCP GenericLines q|x|\nrarity 1\nmatch b m|^b| p/B/\n"
        "Probe TCP GetRequest q|GET|\nrarity 1\ntotalwaitms 5000\nmatch c m|^c| p/C/\n"
        "Probe UDP GetRequest q|u|\nmatch d m|^d| p/D/\n"
    )
    assert cut_probes(text) == (
        "Exclude T:9100-9107\n"
        "Probe TCP NULL q||\ntotalwaitms 120\nrarity 1\nmatch a m|^a| p/A/\n"
        "Probe TCP GetRequest q|GET|\ntotalwaitms 400\nrarity 1\nmatch c m|^c| p/C/\n"
    )
