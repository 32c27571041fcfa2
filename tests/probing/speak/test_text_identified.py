"""What protocols in text answer leads, through identify, to the product and version that NVD knows."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import IPv4Address

import pytest

from netvigil.matching.identify import identify
from netvigil.probing.observations import HostObservation, Method, Protocol, ServiceObservation
from netvigil.probing.speak.tcp import ftp, imap, memcached, pop3, redis, rtsp, smtp, telnet

INFO = b"$999\r\n# Server\r\nredis_version:7.2.4\r\n"


def products_of(answer) -> list[tuple[str, str, str, str, str]]:
    service = ServiceObservation(
        port=1,
        protocol=Protocol.TCP,
        method=Method.SWEEP,
        name=answer.name,
        product=answer.product,
        version=answer.version,
        extra_info=answer.extra_info,
        os_type=answer.os_name,
        cpes=answer.cpes,
        banner=answer.banner.decode("utf-8", "replace"),
    )
    host = HostObservation(
        IPv4Address("127.0.0.1"), datetime(2026, 1, 1, tzinfo=UTC), "x", services=(service,)
    )
    cpes = [
        product.cpe for product in identify(host) if product.cpe.version != "*" and not product.platform_only
    ]
    return [(cpe.vendor, cpe.product, cpe.version, cpe.update, cpe.sw_edition) for cpe in cpes]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            ftp.parse(b"220 gw FTP server (MikroTik 6.42) ready\r\n"),
            ("mikrotik", "routeros", "6.42", "*", "*"),
        ),
        (
            telnet.parse(b"\xff\xfb\x01MikroTik v6.49.10 (long-term)\r\nLogin: "),
            ("mikrotik", "routeros", "6.49.10", "*", "ltr"),
        ),
        (ftp.parse(b"220 (vsFTPd 3.0.3)\r\n"), ("vsftpd_project", "vsftpd", "3.0.3", "*", "*")),
        (ftp.parse(b"220 ProFTPD 1.3.3c Server (x) [1]\r\n"), ("proftpd", "proftpd", "1.3.3", "c", "*")),
        (
            ftp.parse(b"220-FileZilla Server 0.9.60 beta\r\n220 x\r\n"),
            ("filezilla-project", "filezilla_server", "0.9.60", "*", "*"),
        ),
        (smtp.parse(b"220 h ESMTP Exim 4.96 Mon\r\n"), ("exim", "exim", "4.96", "*", "*")),
        (
            smtp.parse(b"220 h ESMTP Sendmail 8.14.4/8.14.4/Debian-4; Mon\r\n"),
            ("sendmail", "sendmail", "8.14.4", "*", "*"),
        ),
        (
            pop3.parse(b"+OK Qpopper (version 4.0.9) at h starting\r\n"),
            ("qualcomm", "qpopper", "4.0.9", "*", "*"),
        ),
        (
            imap.parse(b"* OK h Cyrus IMAP v2.4.17-Debian-2.4.17+deb server ready\r\n"),
            ("cyrus", "imap", "2.4.17", "*", "*"),
        ),
        (
            telnet.parse(b"\xff\xfb\x01BusyBox v1.19.4 (2014) built-in shell\r\n# "),
            ("busybox", "busybox", "1.19.4", "*", "*"),
        ),
        (redis.parse(INFO), ("redis", "redis", "7.2.4", "*", "*")),
        (redis.parse(INFO + b"valkey_version:8.0.1\r\n"), ("lfprojects", "valkey", "8.0.1", "*", "*")),
        (memcached.parse(b"VERSION 1.6.18\r\n"), ("memcached", "memcached", "1.6.18", "*", "*")),
        (
            rtsp.parse(b"RTSP/1.0 200 OK\r\nServer: VLC/3.0.11\r\n\r\n"),
            ("videolan", "vlc_media_player", "3.0.11", "*", "*"),
        ),
    ],
)
def test_an_answer_leads_to_exactly_its_product(answer, expected):
    assert products_of(answer) == [expected]


@pytest.mark.parametrize(
    "answer",
    [
        smtp.parse(b"220 h ESMTP Postfix\r\n"),
        pop3.parse(b"+OK Dovecot (Debian) ready.\r\n"),
        redis.parse(b"-NOAUTH Authentication required.\r\n"),
        rtsp.parse(b"RTSP/1.0 200 OK\r\nServer: Dahua Rtsp Server\r\n\r\n"),
    ],
)
def test_where_no_version_is_stated_none_is_found(answer):
    assert products_of(answer) == []
