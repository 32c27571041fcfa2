"""The tables of `netvigil scan`: what nobody fills is left out, and identifiers stay whole on a narrow terminal."""

import pytest
from rich.console import Console

from netvigil.cli import tables

HOST = {
    "ip": "192.168.88.17",
    "mac": None,
    "hostname": None,
    "manufacturer": None,
    "model": None,
    "os": None,
    "services": [],
}
SERVICE = {
    "port": 9100,
    "protocol": "tcp",
    "service": "jetdirect",
    "product": None,
    "version": None,
    "spared": True,
}
FINDING = tables.FindingRow(
    "CVE-2018-14847", 9.1, "CRITICAL", "192.168.88.17", 8291, "exact", "RouterOS 6.41", "through 6.42"
)


def shown(table, width=200):
    console = Console(width=width, record=True, markup=False)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_columns_that_nobody_fills_are_left_out():
    bare = shown(tables.hosts_table([HOST]))
    assert "MAC" not in bare
    assert "Device" not in bare
    assert "no open port seen" in bare
    named = shown(
        tables.hosts_table([HOST, {**HOST, "mac": "00:11:32:00:00:01", "manufacturer": "Synology"}])
    )
    assert "00:11:32:00:00:01" in named
    assert "Synology" in named


def test_fragile_port_says_why_nothing_is_known():
    assert "9100/tcp jetdirect (fragile: not spoken to)" in shown(
        tables.hosts_table([{**HOST, "services": [SERVICE]}])
    )


@pytest.mark.parametrize(("width", "wide"), [(80, False), (160, True)])
def test_narrow_terminal_keeps_identifiers_whole(width, wide):
    text = shown(tables.findings_table([FINDING], width), width)
    assert "CVE-2018-14847" in text
    assert "192.168.88.17" in text
    assert ("CRITICAL" in text) is wide
