"""Certificates as servers show them: their facts, the host's name, the maker's product, and broken ones."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given
from hypothesis import strategies as st

from netvigil.probing.speak.certificate import describe_certificate, product_of

KEY = ec.generate_private_key(ec.SECP256R1())
BEGIN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OIDS = {
    "CN": x509.NameOID.COMMON_NAME,
    "O": x509.NameOID.ORGANIZATION_NAME,
    "OU": x509.NameOID.ORGANIZATIONAL_UNIT_NAME,
}


def certificate(*names, key=KEY, **subject):
    name = x509.Name([x509.NameAttribute(OIDS[part], value) for part, value in subject.items()])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
    )
    builder = builder.not_valid_before(BEGIN).not_valid_after(BEGIN + timedelta(days=3650))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(serialization.Encoding.DER)


GOOD = certificate(
    x509.DNSName("*.example.org"),
    x509.DNSName("srv.office.lan"),
    x509.IPAddress(ip_address("192.0.2.1")),
    CN="srv",
    O="Lab",
)


def test_facts():
    assert describe_certificate(GOOD) == {
        "certificate_subject": "CN=srv, O=Lab",
        "certificate_issuer": "CN=srv, O=Lab",
        "certificate_names": "*.example.org, srv.office.lan, 192.0.2.1",
        "certificate_not_before": "2026-01-02T03:04:05+00:00",
        "certificate_not_after": "2035-12-31T03:04:05+00:00",
        "certificate_sha256": hashlib.sha256(GOOD).hexdigest(),
        "certificate_key": "EC secp256r1",
        "certificate_hostname": "srv.office.lan",
    }


@pytest.mark.parametrize(
    ("name", "hostname"),
    [
        ("nas.lan", "nas.lan"),
        ("PRINTER-7", "printer-7"),
        ("192.0.2.1", None),
        ("*.example.org", None),
        ("localhost", None),
        ("router.lan", None),
        ("abc.plex.direct", None),
        ("My Company CA", None),
        ("a..b", None),
        ("-x", None),
    ],
)
def test_a_common_name_that_may_be_the_hosts(name, hostname):
    assert describe_certificate(certificate(CN=name)).get("certificate_hostname") == hostname


@pytest.mark.parametrize(
    ("subject", "product", "model"),
    [
        (
            {"O": "Fortinet", "OU": "FortiGate", "CN": "FGT60E4Q16000001"},
            "Fortinet FortiGate firewall",
            "FGT60E4Q",
        ),
        ({"O": "pfSense webConfigurator Self-Signed Certificate", "CN": "pfSense-5a1"}, "pfSense", None),
        ({"CN": "IOS-Self-Signed-Certificate-1234567890"}, "Cisco IOS", None),
        ({"O": "Synology Inc.", "CN": "synology"}, "Synology DiskStation Manager", None),
        (
            {"O": "VMware, Inc", "OU": "VMware ESX Server Default Certificate", "CN": "esx"},
            "VMware ESXi",
            None,
        ),
        ({"CN": "axis-accc8e012345"}, "AXIS device", None),
    ],
)
def test_products(subject, product, model):
    found = product_of(describe_certificate(certificate(**subject)))
    assert (found.product, found.model) == (product, model)


def test_no_product_where_none_is_named():
    assert product_of(describe_certificate(GOOD)) is None
    assert product_of({}) is None


def test_other_keys():
    assert (
        describe_certificate(certificate(key=ed25519.Ed25519PrivateKey.generate(), CN="x"))["certificate_key"]
        == "Ed25519"
    )


def test_what_is_no_certificate_is_nothing():
    assert describe_certificate(b"") == {}
    assert describe_certificate(b"\x30" * 100_000) == {}


@given(st.binary(max_size=300))
def test_no_bytes_break_it(data):
    assert describe_certificate(data) == {}


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
def test_no_changed_byte_breaks_it(at, value):
    facts = describe_certificate(GOOD[:at] + bytes((value,)) + GOOD[at + 1 :])
    assert all(len(text) <= 1200 for text in facts.values())
