"""The inventory as components: kinds, names, CPE and package URL."""

import pytest
from test_export_texts import report_of

from netvigil.reports.exports.components import list_components


@pytest.mark.parametrize(
    ("banner", "kind", "cpe", "purl"),
    [
        (
            "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3",
            "application",
            "cpe:2.3:a:openbsd:openssh:9.2:p1:*:*:*:*:*:*",
            "pkg:deb/debian/openssh@9.2p1-2%2Bdeb12u3?distro=debian-12",
        ),
        (
            "SSH-2.0-OpenSSH_9.9",
            "application",
            "cpe:2.3:a:openbsd:openssh:9.9:*:*:*:*:*:*:*",
            "pkg:generic/openbsd/openssh@9.9",
        ),
    ],
)
def test_what_a_banner_becomes(banner, kind, cpe, purl):
    [host] = report_of("")["hosts"]
    host["services"] = [{**host["services"][0], "port": 22, "name": "ssh", "cpes": [], "banner": banner}]
    [found] = list_components([host]).values()
    device = found.device("Main")
    [component] = [one for one in device["components"] if one["cpe"] == cpe]
    assert (component["type"], component["purl"]) == (kind, purl)
    assert device["type"] == "device"
    assert found.by_port["tcp", 22] == [component["bom-ref"]]
