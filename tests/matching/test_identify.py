"""From observations to products: nmap's names, greetings, headers, RouterOS, packagers, and hostile words."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netvigil.matching.identify import MAX_PRODUCTS, identify
from netvigil.matching.products import Confidence, Product
from netvigil.matching.version_strings import find_distribution, split_version
from netvigil.probing.observations import HostObservation, Method, Protocol, ServiceObservation

LINUX = "cpe:/o:linux:linux_kernel"


def service(port: int = 80, **fields) -> ServiceObservation:
    return ServiceObservation(port, Protocol.TCP, Method.NMAP, **fields)


def products(*services: ServiceObservation, **fields) -> tuple[Product, ...]:
    return identify(
        HostObservation(IPv4Address("192.0.2.1"), datetime.now(UTC), "syn-ack", services=services, **fields)
    )


def programs(*services):
    return tuple(product for product in products(*services) if not product.platform_only)


def names(*services: ServiceObservation) -> set[str]:
    """part:vendor:product:version[:update] of what was found, platforms left out."""
    found = set()
    for product in products(*services):
        cpe = product.cpe
        if not product.platform_only:
            words = [*cpe.name, cpe.version, *([cpe.update] if cpe.update != "*" else [])]
            found.add(":".join(words))
    return found


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {
                "product": "OpenSSH",
                "version": "9.2p1 Debian 2+deb12u10",
                "cpes": ("cpe:/a:openbsd:openssh:9.2p1", LINUX),
            },
            "a:openbsd:openssh:9.2:p1",
        ),
        (
            {"product": "nginx", "version": "1.22.1", "cpes": ("cpe:/a:igor_sysoev:nginx:1.22.1",)},
            "a:f5:nginx:1.22.1",
        ),
        (
            {"version": "2022.83", "cpes": ("cpe:/a:matt_johnston:dropbear_ssh_server:2022.83",)},
            "a:dropbear_ssh_project:dropbear_ssh:2022.83",
        ),
        (
            {
                "version": "5.5.5-10.11.19-MariaDB-0+deb12u1",
                "cpes": ("cpe:/a:mariadb:mariadb:5.5.5-10.11.19-mariadb-0%2Bdeb12u1",),
            },
            "a:mariadb:mariadb:10.11.19",
        ),
        (
            {"version": "9.18.49-1~deb12u3", "cpes": ("cpe:/a:isc:bind:9.18.49-1~deb12u3",)},
            "a:isc:bind:9.18.49:-",
        ),
        ({"version": "3.0.3", "cpes": ("cpe:/a:vsftpd:vsftpd:3.0.3",)}, "a:vsftpd_project:vsftpd:3.0.3"),
        ({"version": "5.1.73", "cpes": ("cpe:/a:mysql:mysql:5.1.73",)}, "a:oracle:mysql:5.1.73"),
        ({"version": "1.3.3c", "cpes": ("cpe:/a:proftpd:proftpd:1.3.3c",)}, "a:proftpd:proftpd:1.3.3:c"),
        ({"version": "4.17.12-Debian", "cpes": ("cpe:/a:samba:samba",)}, "a:samba:samba:4.17.12"),
        ({"version": "3.X - 4.X", "cpes": ("cpe:/a:samba:samba",)}, "a:samba:samba:*"),
        (
            {"version": "9.6.0 or later", "cpes": ("cpe:/a:postgresql:postgresql",)},
            "a:postgresql:postgresql:*",
        ),
        ({"name": "mosquitto version 2.0.11"}, "a:eclipse:mosquitto:2.0.11"),
        ({"product": "MiniServ", "version": "1.890", "extra_info": "Webmin httpd"}, "a:webmin:webmin:1.890"),
        ({"banner": "220 ProFTPD 1.3.5rc3 Server ready"}, "a:proftpd:proftpd:1.3.5:rc3"),
        ({"banner": "SSH-2.0-OpenSSH_8.4p1 Debian-5+deb11u3"}, "a:openbsd:openssh:8.4:p1"),
        (
            {"banner": "HTTP/1.1 200 OK\r\nServer: X\r\n\r\n<title>Apache Tomcat/7.0.68</title>"},
            "a:apache:tomcat:7.0.68",
        ),
        (
            {"banner": "HTTP/1.1 200 OK\r\nServer: CUPS/2.4 IPP/2.1\r\n\r\n<title>Home - CUPS 2.4.2</title>"},
            "a:openprinting:cups:2.4.2",
        ),
        ({"banner": "HTTP/1.1 403 Forbidden\r\nX-Jenkins: 2.346.1\r\n\r\n"}, "a:jenkins:jenkins:2.346.1"),
        (
            {"banner": "HTTP/1.1 404 Not Found\r\nServer: Docker/20.10.5 (linux)\r\n\r\n"},
            "a:docker:docker:20.10.5",
        ),
        (
            {"banner": "HTTP/1.1 200 OK\r\nServer: CouchDB/1.6.1 (Erlang OTP/18)\r\n\r\n"},
            "a:apache:couchdb:1.6.1",
        ),
        (
            {"banner": "HTTP/1.0 401 N/A\r\nServer: Allegro-Software-RomPager/4.07\r\n\r\n"},
            "a:allegrosoft:rompager:4.07",
        ),
        ({"banner": "HTTP/1.1 200 OK\r\nServer: GoAhead-Webs/2.5.0\r\n\r\n"}, "a:embedthis:goahead:2.5.0"),
        (
            {"banner": "HTTP/1.1 200 OK\r\nServer: openresty/1.21.4.1\r\n\r\n"},
            "a:openresty:openresty:1.21.4.1",
        ),
    ],
)
def test_one_service_one_product(fields, expected):
    assert names(service(**fields)) == {expected}


def test_a_server_header_names_several_products():
    fields = {
        "product": "Apache httpd",
        "version": "2.2.15",
        "extra_info": "(CentOS) PHP/5.3.3 OpenSSL/1.0.1e-fips mod_perl/2.0.4",
    }
    found = programs(service(**fields, cpes=("cpe:/a:apache:http_server:2.2.15",)))
    assert {str(p.cpe).split(":", 3)[3].rsplit(":", 6)[0] for p in found} == {
        "apache:http_server:2.2.15:*",
        "php:php:5.3.3:*",
        "openssl:openssl:1.0.1e:-",
        "apache:mod_perl:2.0.4:*",
    }
    assert {p.distribution for p in found} == {"CentOS"}


@pytest.mark.parametrize(
    ("banner", "system"),
    [
        ("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3", "debian:debian_linux:12"),
        ("SSH-2.0-OpenSSH_8.9p1 Ubuntu-3ubuntu0.6", "canonical:ubuntu_linux:*"),
        ("SSH-2.0-OpenSSH_5.3p1 Debian-3ubuntu7", "canonical:ubuntu_linux:*"),
        ("HTTP/1.1 200 OK\r\nServer: Apache/2.4.6 (CentOS)\r\n\r\n", "centos:centos:*"),
        ("SSH-2.0-OpenSSH_9.6 FreeBSD-20240104", "freebsd:freebsd:*"),
        ("SSH-2.0-OpenSSH_9.6", None),
    ],
)
def test_a_packager_tells_the_system(banner, system):
    found = [p for p in products(service(banner=banner)) if p.platform_only]
    assert [str(p.cpe).split(":", 3)[3].rsplit(":", 7)[0] for p in found] == ([system] if system else [])


def test_a_revision_belongs_to_the_program_that_shows_it():
    banner = "HTTP/1.1 200 OK\r\nServer: Apache/2.2.22 (Debian)\r\nX-Powered-By: PHP/5.4.45-0+deb7u14\r\n\r\n"
    found = programs(service(banner=banner))
    assert {p.cpe.product: p.distribution for p in found} == {
        "http_server": "Debian",
        "php": "Debian 0+deb7u14",
    }


def test_the_packagers_revision_in_the_greeting_outlives_nmaps_name_without_one():
    seen = service(
        22,
        product="OpenSSH",
        version="9.2p1",
        extra_info="Debian",
        cpes=("cpe:/a:openbsd:openssh:9.2p1",),
        banner="SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3",
    )
    (found,) = (one for one in products(seen) if one.cpe.product == "openssh")
    assert found.distribution == "Debian 2+deb12u3"


def test_red_hats_bind_names_itself_shortly():
    (found,) = programs(service(version="9.16.23-RH", cpes=("cpe:/a:isc:bind:9.16.23-rh",)))
    assert (found.cpe.version, found.distribution) == ("9.16.23", "Red Hat")


def test_what_a_page_says_in_its_text_is_no_product():
    page = "HTTP/1.1 200 OK\r\nServer: nginx/1.20.0\r\n\r\n<html><title>PHP/5.3.3</title>we left Apache/2.2.15 behind"
    assert names(service(banner=page)) == {"a:f5:nginx:1.20.0", "a:php:php:5.3.3"}


@pytest.mark.parametrize(
    ("fields", "version", "channel"),
    [
        ({"product": "MikroTik router ftpd", "version": "6.42"}, "6.42", "*"),
        ({"banner": "220 gw FTP server (MikroTik 6.42) ready\r\n"}, "6.42", "*"),
        ({"banner": "\xff\xfb\x01\rMikroTik v6.42 (stable)\r\nLogin: "}, "6.42", "-"),
        ({"banner": "\rMikroTik v6.49.10 (long-term)\r\nLogin: "}, "6.49.10", "ltr"),
        ({"banner": "HTTP/1.0 200 OK\r\n\r\n<h1>RouterOS v6.40.5</h1>"}, "6.40.5", "*"),
        (
            {"banner": '{ crc: 1, size: 2, name: "roteros.jg", unique: "roteros-fc.jg", version: "7.18.2" }'},
            "7.18.2",
            "*",
        ),
        ({"name": "mndp", "version": "7.14.3 (stable)"}, "7.14.3", "-"),
        ({"extra_info": "RouterOS 5.20"}, "5.20", "*"),
        ({"banner": "SSH-2.0-ROSSSH"}, "*", "*"),
        ({"product": "MikroTik RouterOS API", "cpes": ("cpe:/o:mikrotik:routeros",)}, "*", "*"),
    ],
)
def test_routeros(fields, version, channel):
    (found,) = products(service(**fields))
    assert found.cpe.name == ("o", "mikrotik", "routeros")
    assert (found.cpe.version, found.cpe.sw_edition) == (version, channel)
    assert found.confidence is (Confidence.LIKELY if version == "*" else Confidence.EXACT)


def test_a_router_is_one_product_with_the_best_of_what_its_ports_say():
    found = products(
        service(21, product="MikroTik router ftpd", version="6.42"),
        service(22, product="MikroTik RouterOS sshd", cpes=(LINUX, "cpe:/o:mikrotik:routeros")),
        service(23, banner="MikroTik v6.42 (stable)\r\nLogin: "),
    )
    assert [str(p.cpe) for p in found if not p.platform_only] == [
        "cpe:2.3:o:mikrotik:routeros:6.42:*:*:*:-:*:*:*"
    ]
    assert found[0].port == 23
    assert found[0].evidence == "MikroTik v6.42 (stable)"


def test_a_candidate_is_split_into_the_update():
    (found,) = products(service(banner="MikroTik v7.5rc1 (testing)\r\n"))
    assert (found.cpe.version, found.cpe.update, found.cpe.sw_edition) == ("7.5", "rc1", "testing")


def test_the_same_program_on_two_ports_is_two_products_but_a_bare_name_adds_nothing():
    ssh = {"version": "9.2p1", "cpes": ("cpe:/a:openbsd:openssh:9.2p1",)}
    found = products(
        service(2222, **ssh), service(50022, **ssh), service(22, cpes=("cpe:/a:openbsd:openssh",))
    )
    assert [(p.port, p.cpe.version) for p in found] == [(2222, "9.2"), (50022, "9.2")]


def test_a_system_by_its_kind_is_ground_only():
    found = products(service(cpes=(LINUX,), os_type="Windows"), os_name="FreeBSD 13")
    assert {(p.cpe.product, p.platform_only) for p in found} == {
        ("linux_kernel", True),
        ("windows", True),
        ("freebsd", True),
    }


def test_a_device_is_its_hardware_and_its_firmware():
    found = products(service(product="TP-LINK router http config", cpes=("cpe:/h:tp-link:wr841n",)))
    assert {":".join(p.cpe.name) for p in found} == {"h:tp-link:tl-wr841n", "o:tp-link:tl-wr841n_firmware"}


@pytest.mark.parametrize(
    ("raw", "product", "expected"),
    [
        ("8.9p1 Ubuntu 3ubuntu0.6", "", ("8.9", "p1", "Ubuntu 3ubuntu0.6")),
        ("8.0.36-0ubuntu0.22.04.1", "", ("8.0.36", "*", "Ubuntu 0ubuntu0.22.04.1")),
        ("7.4.3-4ubuntu2.18", "", ("7.4.3", "*", "Ubuntu 4ubuntu2.18")),
        ("5.3.3-7+squeeze19", "", ("5.3.3", "*", "Debian 7+squeeze19")),
        ("4.2.8p10", "ntp", ("4.2.8", "p10", None)),
        ("4.2.8", "ntp", ("4.2.8", "-", None)),
        ("6.1.7-15284-2", "", ("6.1.7-15284-2", "*", None)),
        ("2.0.0-rc1", "", ("2.0.0", "rc1", None)),
        ("v1.31.1", "", ("1.31.1", "*", None)),
        ("2.4.18 (Red Hat)", "", ("2.4.18", "*", "Red Hat")),
        ("3.X - 4.X", "", None),
        ("unknown", "", None),
        ("", "", None),
    ],
)
def test_version_strings(raw, product, expected):
    assert split_version(raw, product) == expected


def test_distributions():
    assert find_distribution("OpenSSH_9.2p1 Debian-2+deb12u3") == "Debian 2+deb12u3"
    assert find_distribution("(Debian) OpenSSL/3.0.19") == "Debian"
    assert find_distribution("nginx/1.22.1") is None


TEXT = st.none() | st.text(max_size=300)
HOSTILE = st.builds(
    ServiceObservation,
    port=st.integers(1, 65535),
    protocol=st.sampled_from(Protocol),
    method=st.sampled_from(Method),
    name=TEXT,
    product=TEXT,
    version=TEXT,
    extra_info=TEXT,
    os_type=TEXT,
    cpes=st.lists(st.text(max_size=60) | st.text(max_size=40).map("cpe:/a:x:".__add__), max_size=3).map(
        tuple
    ),
    banner=st.none()
    | st.text(max_size=500)
    | st.text(max_size=60).map("HTTP/1.1 200 OK\r\nServer: PHP/1".__add__),
)


@given(st.lists(HOSTILE, max_size=3), TEXT)
def test_no_words_break_it(services, os_name):
    for product in products(*services, os_name=os_name):
        assert len(product.evidence) <= 200
        assert len(str(product.cpe)) < 1000


def test_a_chatterbox_is_bounded():
    chatter = service(
        banner="Apache/1 " * 100_000,
        product="x" * 100_000,
        version="9" * 100_000,
        cpes=("cpe:/a:x:y",) * 100_000,
    )
    assert (
        0
        < len(products(*(service(port, cpes=(f"cpe:/a:x:y{port}",)) for port in range(1, 500)), chatter))
        <= MAX_PRODUCTS
    )
