"""Packages behind banners, and what a distribution's fix data say about them; the data are small ones of our own."""

from __future__ import annotations

import pytest

from netvigil.matching.backports import Fix, FixData, Standing, judge_backport
from netvigil.matching.cpe import parse_cpe
from netvigil.matching.packages import Package, package_of, release_of
from netvigil.matching.products import Confidence, Product

FIXED, AFFECTED, UNKNOWN = Standing.FIXED, Standing.AFFECTED, Standing.UNKNOWN
CVE = "CVE-2030-0001"


def product(text: str, distribution: str | None = None, **fields) -> Product:
    return Product(
        parse_cpe(f"cpe:2.3:a:{text}"), Confidence.EXACT, "seen", 22, "tcp", distribution, **fields
    )


def fix(release: str, package: str, fixed: str | None = None, cve_id: str = CVE, **fields) -> Fix:
    ecosystem, _, release = release.partition(":")
    return Fix(ecosystem, release, package, cve_id, fields.pop("advisory", "DSA-1-1"), fixed=fixed, **fields)


@pytest.mark.parametrize(
    ("text", "distribution", "expected"),
    [
        (
            "openbsd:openssh:9.2:p1",
            "Debian 2+deb12u10",
            Package("Debian", "12", ("openssh",), "9.2p1", "2+deb12u10"),
        ),
        ("openbsd:openssh:8.4:p1", "Debian 5", Package("Debian", None, ("openssh",), "8.4p1", "5")),
        (
            "openbsd:openssh:8.9:p1",
            "Ubuntu 3ubuntu0.6",
            Package("Ubuntu", None, ("openssh",), "8.9p1", "3ubuntu0.6"),
        ),
        (
            "openbsd:openssh:5.3:p1",
            "Debian 3ubuntu7",
            Package("Ubuntu", None, ("openssh",), "5.3p1", "3ubuntu7"),
        ),
        (
            "oracle:mysql:8.0.36",
            "Ubuntu 0ubuntu0.22.04.1",
            Package("Ubuntu", "22.04", ("mysql-8.0",), "8.0.36", "0ubuntu0.22.04.1"),
        ),
        ("apache:http_server:2.4.56", "Debian", Package("Debian", None, ("apache2",), "2.4.56", None)),
        (
            "apache:http_server:2.4.6",
            "CentOS",
            Package("Red Hat", None, ("httpd",), "2.4.6", None),
        ),
        (
            "isc:bind:9.11.4:p2",
            "Red Hat 26.P2.el7_9.15",
            Package("Red Hat", "7", ("bind",), "9.11.4", "26.P2.el7_9.15"),
        ),
        (
            "isc:bind:9.11.5:p4",
            "Debian 5.1+deb10u7",
            Package("Debian", "10", ("bind9",), "9.11.5p4", "5.1+deb10u7"),
        ),
        (
            "mariadb:mariadb:10.3.38",
            "Raspbian 0+deb10u1",
            Package("Debian", "10", ("mariadb", "mariadb-10.3"), "10.3.38", "0+deb10u1"),
        ),
        (
            "php:php:5.3.3",
            "Debian 7+squeeze19",
            Package("Debian", "6", ("php5.3", "php5"), "5.3.3", "7+squeeze19"),
        ),
        ("f5:nginx:1.18.0", "Ubuntu 20.04", Package("Ubuntu", "20.04", ("nginx",), "1.18.0", None)),
        ("igor_sysoev:nginx:1.18.0", "Ubuntu", Package("Ubuntu", None, ("nginx",), "1.18.0", None)),
        (
            "proftpd:proftpd:1.3.5:rc3",
            "Debian",
            Package("Debian", None, ("proftpd-dfsg",), "1.3.5~rc3", None),
        ),
        ("openprinting:cups:2.3", "Debian", None),
        ("openbsd:openssh:*", "Debian 2+deb12u10", None),
        ("openbsd:openssh:9.3", "FreeBSD 20230316", None),
        ("nobody:nothing:1.0", "Debian 1+deb12u1", None),
        ("f5:nginx:1.18.0", None, None),
    ],
)
def test_the_package_behind_a_banner(text, distribution, expected):
    assert package_of(product(text, distribution)) == expected


def test_releases_of_revisions():
    assert release_of("Debian", "1~bpo11+1") is None
    assert release_of("Debian", "0.2+b1") is None
    assert release_of("Ubuntu", "3ubuntu13.3") is None
    assert release_of("Ubuntu", "1ubuntu2.1~18.04.1") == "18.04"
    assert release_of("Red Hat", "19.el8_9.2") == "8"


DATA = FixData(
    [
        fix("Debian:12", "openssh", "1:9.2p1-2+deb12u3", advisory="DSA-5724-1"),
        fix("Debian:11", "openssh", "1:8.4p1-5+deb11u4"),
        fix("Debian:11", "openssh", cve_id="CVE-2030-0002"),
        fix("Debian:12", "openssh", "1:9.2p1-2", introduced="1:8.5p1-1", cve_id="CVE-2030-0003"),
        fix("Debian:12", "openssh", introduced="1:9.3p1-1", cve_id="CVE-2030-0004"),
        fix("Debian:12", "openssh", last_affected="1:9.2p1-2+deb12u5", cve_id="CVE-2030-0005"),
        fix("Debian:12", "openssh", "1:9.2p1-2+deb12u2", cve_id="CVE-2030-0006"),
        fix("Debian:12", "openssh", "1:9.2p1-2+deb12u4", cve_id="CVE-2030-0006", advisory="DSA-1-2"),
        fix("Ubuntu:22.04", "openssh", "1:8.9p1-3ubuntu0.10"),
        fix("Ubuntu:20.04", "openssh", "1:8.2p1-4ubuntu0.11"),
        fix("Ubuntu:24.04", "openssh", "1:9.6p1-3ubuntu13.3"),
        fix("Ubuntu:16.04", "openssh"),
        fix("Ubuntu:Pro:16.04", "openssh", "1:7.2p2-4ubuntu2.10+esm1"),
        fix("Debian:11", "apache2", "2.4.52-1~deb11u2"),
        fix("Debian:11", "samba", "2:4.13.13+dfsg-1~deb11u5"),
        fix("Debian:10", "bind9", "1:9.11.5.P4+dfsg-5.1+deb10u8"),
        fix("Red Hat:7", "bind", "32:9.11.4-26.P2.el7_9.16"),
    ]
)
DEBIAN_12 = "openbsd:openssh:9.2:p1"


@pytest.mark.parametrize(
    ("text", "distribution", "cve", "standing", "fixed_in"),
    [
        (DEBIAN_12, "Debian 2+deb12u3", "1", FIXED, "1:9.2p1-2+deb12u3"),
        (DEBIAN_12, "Debian 2+deb12u10", "1", FIXED, "1:9.2p1-2+deb12u3"),
        (DEBIAN_12, "Debian 2+deb12u2", "1", AFFECTED, "1:9.2p1-2+deb12u3"),
        (DEBIAN_12, "Debian 2", "1", AFFECTED, "1:9.2p1-2+deb12u3"),
        (DEBIAN_12, "Raspbian 2+deb12u2", "1", AFFECTED, "1:9.2p1-2+deb12u3"),
        (DEBIAN_12, "Debian", "1", UNKNOWN, "1:9.2p1-2+deb12u3"),
        # 7.9 is Debian 10's, of which nothing is said: that Debian 11 and 12 have fixed it proves nothing
        ("openbsd:openssh:7.9:p1", "Debian 10", "1", UNKNOWN, None),
        ("openbsd:openssh:7.9:p1", "Debian 10+deb10u4", "1", UNKNOWN, None),
        ("openbsd:openssh:8.4:p1", "Debian 5+deb11u1", "2", AFFECTED, None),
        (DEBIAN_12, "Debian 2+deb12u1", "2", UNKNOWN, None),
        (DEBIAN_12, "Debian 2+deb12u1", "3", FIXED, "1:9.2p1-2"),
        ("openbsd:openssh:8.4:p1", "Debian 1+deb12u1", "3", FIXED, None),
        (DEBIAN_12, "Debian 2+deb12u1", "4", FIXED, None),
        (DEBIAN_12, "Debian 2+deb12u5", "5", AFFECTED, None),
        (DEBIAN_12, "Debian 2+deb12u6", "5", FIXED, None),
        # the first fix was not whole: only the last counts
        (DEBIAN_12, "Debian 2+deb12u3", "6", AFFECTED, "1:9.2p1-2+deb12u4"),
        (DEBIAN_12, "Debian 2+deb12u4", "6", FIXED, "1:9.2p1-2+deb12u2"),
        (DEBIAN_12, "Debian 2+deb12u4", "9", UNKNOWN, None),
        ("openbsd:openssh:8.9:p1", "Ubuntu 3ubuntu0.6", "1", AFFECTED, "1:8.9p1-3ubuntu0.10"),
        ("openbsd:openssh:8.9:p1", "Ubuntu 3ubuntu0.10", "1", FIXED, "1:8.9p1-3ubuntu0.10"),
        ("openbsd:openssh:7.2:p2", "Ubuntu 4ubuntu2.10", "1", AFFECTED, None),
        ("openbsd:openssh:7.2:p2", "Ubuntu 4ubuntu2.10+esm1", "1", FIXED, "1:7.2p2-4ubuntu2.10+esm1"),
        ("openbsd:openssh:6.6.1:p1", "Ubuntu 2ubuntu2.13", "1", UNKNOWN, None),
        ("apache:http_server:2.4.51", "Debian 1~deb11u1", "1", AFFECTED, "2.4.52-1~deb11u2"),
        ("apache:http_server:2.4.56", "Debian 1~deb11u1", "1", FIXED, "2.4.52-1~deb11u2"),
        ("apache:http_server:2.4.56", "Debian", "1", UNKNOWN, None),
        ("samba:samba:4.13.13", "Debian 1~deb11u5", "1", FIXED, "2:4.13.13+dfsg-1~deb11u5"),
        ("samba:samba:4.13.13", "Debian 1~deb11u4", "1", AFFECTED, "2:4.13.13+dfsg-1~deb11u5"),
        ("isc:bind:9.11.5:p4", "Debian 5.1+deb10u7", "1", AFFECTED, "1:9.11.5.P4+dfsg-5.1+deb10u8"),
        ("isc:bind:9.11.4:p2", "Red Hat 26.P2.el7_9.15", "1", AFFECTED, "32:9.11.4-26.P2.el7_9.16"),
        ("isc:bind:9.11.4:p2", "Red Hat 26.P2.el7_9.16", "1", FIXED, "32:9.11.4-26.P2.el7_9.16"),
        ("f5:nginx:1.18.0", "Debian", "1", UNKNOWN, None),
        ("nobody:nothing:1.0", "Debian", "1", UNKNOWN, None),
    ],
)
def test_standings(text, distribution, cve, standing, fixed_in):
    verdict = judge_backport(product(text, distribution), f"CVE-2030-000{cve}", DATA)
    assert (verdict.standing, verdict.fixed_in) == (standing, fixed_in)


def test_the_release_that_other_services_name_helps_where_it_fits():
    apache = product("apache:http_server:2.4.52", "Debian")
    verdict = judge_backport(apache, CVE, DATA, "11")
    assert verdict.standing is UNKNOWN
    assert "which revision of 2.4.52 this is" in verdict.reason
    assert judge_backport(apache, CVE, DATA, "12").reason == verdict.reason


def test_reasons_are_whole_sentences_of_facts():
    def reason(text, distribution, cve=CVE):
        return judge_backport(product(text, distribution), cve, DATA).reason

    assert (
        reason(DEBIAN_12, "Debian 2+deb12u10")
        == "fixed in 1:9.2p1-2+deb12u3 (Debian 12, DSA-5724-1), here is 9.2p1-2+deb12u10"
    )
    assert reason(DEBIAN_12, "Debian 2+deb12u2").startswith("fixed in 1:9.2p1-2+deb12u3 (Debian 12, DSA-57")
    assert (
        reason("openbsd:openssh:8.4:p1", "Debian 5", "CVE-2030-0002") == "Debian 11 has no fix yet (DSA-1-1)"
    )
    assert reason("f5:nginx:1.18.0", "Debian") == "no fix data of Debian for nginx are loaded"
    assert reason(DEBIAN_12, "Debian 2", "CVE-2030-9999").endswith("do not mention CVE-2030-9999 in openssh")
