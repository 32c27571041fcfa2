"""A host's matches settled by fix data: silence with a reason, surer findings, and suspicion beside a known system."""

from __future__ import annotations

from netvigil.matching.backports import Fix, FixData
from netvigil.matching.cpe import parse_cpe
from netvigil.matching.host_packages import HostPackages, wanted_packages
from netvigil.matching.match import Inventory, match
from netvigil.matching.products import Confidence, Product
from netvigil.matching.ranges import AffectedRange, Configuration, Node, Operator

CVE = "CVE-2030-0001"
FIXES = FixData(
    [
        Fix("Debian", "12", "openssh", CVE, "DSA-5724-1", fixed="1:9.2p1-2+deb12u3"),
        Fix("Debian", "12", "nginx", CVE, "DSA-5750-1", fixed="1.22.1-9+deb12u2"),
        Fix("Debian", "12", "nginx", "CVE-2030-0002", "DSA-5800-1", fixed="1.24.0-1+deb12u1"),
    ]
)


def product(text: str, distribution: str | None = None, port: int | None = 22) -> Product:
    return Product(parse_cpe(f"cpe:2.3:a:{text}"), Confidence.EXACT, "", port, "tcp", distribution)


def either(name: str, **bounds: str) -> tuple[Configuration, ...]:
    criterion = AffectedRange(parse_cpe(f"cpe:2.3:a:{name}"), **bounds)
    node = Node(Operator.OR, negate=False, ranges=(criterion,))
    return (Configuration(Operator.OR, negate=False, nodes=(node,)),)


def settled(products, configurations, fixes=FIXES, cve_id=CVE):
    inventory = Inventory(products)
    found = match(inventory, configurations)
    assert found is not None
    return HostPackages(inventory, fixes).settle(cve_id, lambda stock: match(stock, configurations), found)


OPENSSH = either("openbsd:openssh", end_excluding="9.8")
NGINX = either("f5:nginx", end_excluding="1.27.1")
FIXED = product("openbsd:openssh:9.2:p1", "Debian 2+deb12u10")
OLDER = product("openbsd:openssh:9.2:p1", "Debian 2+deb12u2", 2222)


def test_a_fixed_package_is_no_finding_and_says_why():
    found, (silence,) = settled([FIXED], OPENSSH)
    assert found is None
    assert (silence.cve_id, silence.product, silence.fixed_in) == (CVE, FIXED, "1:9.2p1-2+deb12u3")
    assert silence.advisory == "DSA-5724-1"
    assert silence.reason.startswith("fixed in 1:9.2p1-2+deb12u3 (Debian 12, DSA-5724-1)")


def test_an_older_package_is_a_sure_finding_with_the_package_to_install():
    found, silent = settled([OLDER], OPENSSH)
    assert silent == ()
    assert found is not None
    assert (found.confidence, found.fixed_in) == (Confidence.EXACT, "1:9.2p1-2+deb12u3")
    assert found.product is OLDER
    assert not any("may have fixed" in reason for reason in found.reasons)


def test_the_other_server_on_the_host_may_still_have_it():
    # both are possible by upstream's range; whichever is asked first, the older one stays
    for products in ([FIXED, OLDER], [OLDER, FIXED]):
        found, silent = settled(products, OPENSSH)
        assert found is not None
        assert found.product == OLDER
        assert [one.product for one in silent] in ([], [FIXED])


def test_a_server_of_nobodys_package_on_the_same_host_is_judged_by_upstream():
    container = product("openbsd:openssh:9.0:p1", None, 2223)
    found, silent = settled([FIXED, container], OPENSSH)
    assert found is not None
    assert (found.product, found.confidence, silent) == (container, Confidence.EXACT, ())


def test_without_data_the_finding_stays_possible_and_says_so():
    found, silent = settled([FIXED], OPENSSH, FixData())
    assert silent == ()
    assert found is not None
    assert found.confidence is Confidence.POSSIBLE
    assert found.reasons[-1] == "no fix data of Debian for openssh are loaded"


def test_a_program_in_the_very_version_of_the_hosts_distribution_is_probably_its_package():
    nginx = product("f5:nginx:1.22.1", None, 80)
    found, _ = settled([FIXED, nginx], NGINX)
    assert found is not None
    assert found.confidence is Confidence.POSSIBLE
    assert "Debian 12 runs here and has nginx 1.22.1: probably its package" in found.reasons[-1]


def test_but_not_in_another_version_nor_without_a_known_system():
    other = product("f5:nginx:1.21.0", None, 80)
    found, _ = settled([FIXED, other], NGINX)
    assert found is not None
    assert found.confidence is Confidence.EXACT
    found, _ = settled([product("f5:nginx:1.22.1", None, 80)], NGINX)
    assert found is not None
    assert found.confidence is Confidence.EXACT


def test_what_is_older_than_the_fix_either_way_stays_sure():
    nginx = product("f5:nginx:1.22.1", None, 80)
    found, _ = settled([FIXED, nginx], NGINX, cve_id="CVE-2030-0002")
    assert found is not None
    assert found.confidence is Confidence.EXACT
    assert "fixed in 1.24.0-1+deb12u1" in found.reasons[-1]


def test_an_old_server_beside_a_distribution_without_data_for_it_stays_a_finding():
    ftp = product("proftpd:proftpd:1.3.3:c", None, 21)
    apache = product("apache:http_server:2.2.15", "CentOS", 80)
    found, silent = settled([apache, ftp], either("proftpd:proftpd", end_excluding="1.3.3d"))
    assert found is not None
    assert (found.confidence, silent) == (Confidence.EXACT, ())


def test_what_is_asked_of_the_data():
    nginx = product("f5:nginx:1.22.1", None, 80)
    assert wanted_packages([FIXED, nginx]) == {("Debian", "openssh"), ("Debian", "nginx")}
    assert wanted_packages([nginx]) == set()
    assert wanted_packages([product("apache:http_server:2.4.1", "Debian"), nginx]) == {("Debian", "apache2")}


def test_a_cve_that_nobody_has_analysed_is_found_by_the_packagers_word():
    host = HostPackages(Inventory([OLDER, OLDER, FIXED]), FIXES)
    [(cve_id, found)] = host.named_by_data({CVE, "CVE-2030-0002"})
    assert (cve_id, found.product, found.confidence) == (CVE, OLDER, Confidence.LIKELY)
    assert found.fixed_in == found.criterion.end_excluding == "1:9.2p1-2+deb12u3"
    assert found.reasons[1].startswith(
        "fixed in 1:9.2p1-2+deb12u3 (Debian 12, DSA-5724-1), here is the older"
    )
    assert list(host.named_by_data(set())) == []
