"""Pages for RouterOS, packaged programs, cameras and Windows: the right commands, holding validated values only."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from markdown_it import MarkdownIt

from netvigil.catalogue.records import CveRecord, Metric, Reference
from netvigil.matching.backports import Fix
from netvigil.matching.cpe import parse_cpe
from netvigil.matching.ranges import AffectedRange, Configuration, Node, Operator
from netvigil.mitigation.document import build_document
from netvigil.mitigation.facts import CveFacts, Exploitation, Likelihood, Port, Touched, TouchedDevice
from netvigil.mitigation.weaknesses import WEAKNESSES, advice_for

NOW = datetime(2026, 8, 22, tzinfo=UTC)
CVE = "CVE-2099-0001"
ROUTEROS, OPENSSH = "o:mikrotik:routeros", "a:openbsd:openssh"
METRIC = Metric(
    "3.1",
    "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:N",
    9.1,
    "CRITICAL",
    3.9,
    5.2,
    "nvd@nist.gov",
    primary=True,
)


def cpe(name, version="*", edition="*"):
    return parse_cpe(f"cpe:2.3:{name}:{version}:*:*:*:{edition}:*:*:*")


def facts_of(*ranges, description="A fault.", **changes):
    nodes = (Node(Operator.OR, negate=False, ranges=ranges),)
    record = CveRecord(
        CVE, "test", NOW, NOW, "Analyzed", description, (METRIC,), ("CWE-22", "NVD-CWE-noinfo"),
        (Reference("https://x.example/poc", ("Exploit",)),), (Configuration(Operator.OR, negate=False, nodes=nodes),),
        origins=(("configurations", "nvd"),),
    )  # fmt: skip
    return CveFacts(CVE, record, **changes)


def touching(name, version, *ports, edition="*", **changes):
    device = TouchedDevice(
        "192.168.88.7",
        "Office",
        "r1",
        None,
        None,
        "winbox",
        8291,
        "tcp",
        str(cpe(name, version, edition)),
        None,
        None,
        "exact",
        NOW,
    )
    return Touched(1, 1, (replace(device, **changes),), ports)


def page(facts, touched=None):
    return build_document(facts, touched or Touched(), NOW)


def fences(markdown):
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    return [token.content for token in tokens if token.type == "fence"]


@pytest.mark.parametrize(
    ("edition", "channel"), [("ltr", "long-term"), ("-", "stable"), ("testing", "testing")]
)
def test_a_router_stays_in_its_channel(edition, channel):
    facts = facts_of(AffectedRange(cpe(ROUTEROS), end_excluding="6.49.7"))
    commands = "\n".join(fences(page(facts, touching(ROUTEROS, "6.42", edition=edition))))
    assert re.findall(r"set channel=(\S+)", commands) == [channel]
    order = [
        "/system backup save",
        "/export",
        "set channel",
        "check-for-updates",
        "update install",
        "routerboard upgrade",
    ]
    assert [commands.index(one) for one in order] == sorted(commands.index(one) for one in order)


def test_the_way_to_version_7_is_taken_only_where_the_fix_is():
    seven = page(facts_of(AffectedRange(cpe(ROUTEROS), end_excluding="7.10")), touching(ROUTEROS, "6.48.6"))
    assert "**The fix is in version 7 only.**" in seven
    assert "channel=upgrade" in seven
    six = page(facts_of(AffectedRange(cpe(ROUTEROS), end_excluding="6.49.7")), touching(ROUTEROS, "6.48.6"))
    assert "The fix is in version 7 only" not in six
    assert "a project of its own" in six
    only_seven = page(facts_of(AffectedRange(cpe(ROUTEROS), end_excluding="7.10")), touching(ROUTEROS, "7.2"))
    assert "version 6" not in only_seven.split("## How to update")[1].split("## Until")[0].lower().replace(
        "version 6 and 7", ""
    )


@pytest.mark.parametrize(
    ("description", "command"),
    [
        ("A flaw in the WinBox interface.", "/ip service set winbox address="),
        ("The bandwidth-test server crashes.", "/tool bandwidth-server set enabled=no"),
        ("A crafted MNDP packet.", "/ip neighbor discovery-settings set"),
        ("The SMB service overflows.", "/ip smb set enabled=no"),
        ("The DNS resolver caches.", "/ip dns set allow-remote-requests=no"),
        ("An SNMP request.", "/snmp community set"),
        ("Nobody says where.", "/ip service set api,api-ssl address="),
    ],
)
def test_the_part_at_fault_is_closed(description, command):
    facts = facts_of(AffectedRange(cpe(ROUTEROS), end_including="6.42"), description=description)
    assert command in "\n".join(fences(page(facts)))


def test_rules_name_the_ports_that_were_seen():
    facts = facts_of(
        AffectedRange(cpe(ROUTEROS), end_including="6.42"), description="In WinBox and the WebFig interface."
    )
    seen = (Port("winbox", 18291, "tcp", 1), Port("http", 8080, "tcp", 1), Port("ssh", 22, "tcp", 1))
    commands = "\n".join(fences(page(facts, touching(ROUTEROS, "6.40", *seen))))
    assert "dst-port=8080,18291 " in commands
    assert "dst-port=80," not in commands
    assert "<MANAGEMENT-NETWORK>" in commands


def test_a_camera_is_closed_on_the_router_in_front_of_it():
    camera = "o:hikvision:ds-2cd2032-i_firmware"
    text = page(
        facts_of(AffectedRange(cpe(camera))),
        touching(camera, "5.4.1", Port("rtsp", 8554, "tcp", 1), address="192.168.88.20"),
    )
    rules = "\n".join(fences(text))
    assert f"list={CVE} address=192.168.88.20" in rules
    assert "chain=forward action=drop protocol=tcp dst-port=8554" in rules
    assert "nft" not in text
    assert "hikvision.com" in text
    assert "no fix known" in text


def test_nothing_unchecked_gets_into_a_command():
    fixes = tuple(
        Fix("Debian", "12", name, CVE, "DSA-1", fixed="1")
        for name in ("openssh", "x; rm -rf /", "$(id)", "-o", "A" * 200)
    )
    hostile = touching(
        OPENSSH, "9.2", Port("ssh", 70000, "tcp", 1), Port("ssh", 22, "tcp; drop", 1), Port("ssh", 2222, "tcp", 1),
        address="1.2.3.4; reboot", hostname="`reboot`", site="$(reboot)", seen="SSH Debian-2 `id`",
    )  # fmt: skip
    text = page(facts_of(AffectedRange(cpe(OPENSSH), end_excluding="9.8"), fixes=fixes), hostile)
    commands = "\n".join(fences(text))
    for word in ("rm -rf", "$(id)", "1.2.3.4", "reboot", "70000", "tcp;", "AAAA", " -o"):
        assert word not in commands, word
    assert "--only-upgrade openssh-server openssh-client" in commands
    assert "2222" in commands


def test_a_packaged_program_is_fixed_by_its_package():
    fix = Fix("Debian", "12", "openssh", CVE, "DSA-5724-1", fixed="1:9.2p1-2+deb12u3")
    mine = touching(OPENSSH, "9.2", seen="OpenSSH 9.2p1 Debian 2+deb12u2", fixed_in="1:9.2p1-2+deb12u3")
    text = page(facts_of(AffectedRange(cpe(OPENSSH), end_excluding="9.8"), fixes=(fix,)), mine)
    assert "install your distribution's fixed package (1:9.2p1-2+deb12u3)" in text
    assert "| Debian 12 | openssh | 1:9.2p1-2+deb12u3 | DSA-5724-1 |" in text
    assert "### Alpine" not in text
    unknown = page(facts_of(AffectedRange(cpe(OPENSSH), end_excluding="9.8")), mine)
    assert "install the newest package of Debian (without a distribution: 9.8 or newer)" in unknown


def test_exploited_ones_say_what_must_be_done_and_where_to_look():
    told = Exploitation(
        date(2026, 8, 1),
        date(2026, 8, 21),
        "RouterOS [x](http://evil.example)",
        "Apply updates.",
        ransomware=True,
    )
    facts = facts_of(
        AffectedRange(cpe(ROUTEROS)), exploited=told, likelihood=Likelihood(0.9999, 1.0, date(2026, 8, 16))
    )
    text = page(facts, touching(ROUTEROS, "6.42"))
    assert text.startswith(f"# {CVE}: RouterOS \\[x\\](http\\://evil\\.example)\n")
    assert "Act now" in text
    assert (
        "used by ransomware; required action: Apply updates; due by 2026-08-21 for US federal agencies, which has passed"
        in text
    )
    assert "**over 99.9 % within 30 days**; ranked above 99.9 % of all CVEs (EPSS of 2026-08-16)" in text
    assert "## Has somebody been there?" in text
    assert "Netinstall" in text


def test_windows_gets_its_own_page_and_no_version_of_others():
    smb = AffectedRange(cpe("a:microsoft:server_message_block", "1.0"))
    other = AffectedRange(cpe("o:siemens:acuson_sc2000_firmware"), end_excluding="4.0e")
    text = page(facts_of(smb, other, description="The SMBv1 server in Microsoft Windows."))
    assert f"https://msrc.microsoft.com/update-guide/vulnerability/{CVE}" in text
    assert "update Microsoft" not in text
    assert "EnableSMB1Protocol" in text


def test_weaknesses_and_references_are_told_once_and_exploits_flagged():
    text = page(facts_of(AffectedRange(cpe(OPENSSH), end_excluding="9.8")))
    assert "noinfo" not in text
    assert "- `CWE-22`: " in text
    assert text.index("Exploits, to know what is public") < text.index("<https://x.example/poc>")
    assert len(WEAKNESSES) >= 40
    assert [cwe for cwe, _ in advice_for(["CWE-120", "CWE-121", "CWE-0"])] == ["CWE-120"]


def test_a_finding_on_a_rejected_one_is_explained():
    facts = facts_of()
    rejected = replace(facts, record=replace(facts.record, status="Rejected"))
    text = page(rejected, touching(OPENSSH, "9.2"))
    assert "Nothing to do" in text
    assert "These findings are from before the rejection" in text
    assert fences(text) == []


def test_many_devices_are_counted():
    some = touching(OPENSSH, "9.2")
    text = page(
        facts_of(AffectedRange(cpe(OPENSSH), end_excluding="9.8")), replace(some, total=1200, sites=3)
    )
    assert "1200 devices of yours have it" in text
    assert "… and 1199 more." in text
    assert "at 3 sites" in text
