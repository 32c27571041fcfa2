"""What pages of real kinds of devices are named, and that nothing more is claimed."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netvigil.matching.cpe import parse_cpe
from netvigil.probing.speak.http_message import parse_response
from netvigil.probing.speak.web_devices import DEVICES
from netvigil.probing.speak.web_networks import NETWORKS
from netvigil.probing.speak.web_page import read_page
from netvigil.probing.speak.web_products import conclude, learn, look_at, read_server
from netvigil.probing.speak.web_programs import APPLICATIONS, BESIDES, SERVERS
from netvigil.probing.speak.web_questions import QUESTIONS
from netvigil.probing.speak.web_rows import PLACES


def page(title="", body="", status="200 OK", **headers):
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    markup = f"<html><head><title>{title}</title></head>{body}</html>"
    return read_page(parse_response(f"HTTP/1.1 {status}\r\n{lines}\r\n{markup}".encode()))


def named(*args, **kwargs):
    return conclude(look_at(page(*args, **kwargs)))


def realm(text):
    return {"status": "401 Unauthorized", "WWW_Authenticate": f'Basic realm="{text}"'}


@pytest.mark.parametrize(
    ("server", "product", "version", "info"),
    [
        ("Apache/2.2.15 (CentOS) PHP/5.3.3", "Apache httpd", "2.2.15", "(CentOS) PHP/5.3.3"),
        ("Apache", "Apache httpd", None, None),
        ("nginx/1.18.0 (Ubuntu)", "nginx", "1.18.0", "Ubuntu"),
        ("lighttpd/1.4.69", "lighttpd", "1.4.69", None),
        ("Microsoft-IIS/8.5", "Microsoft IIS httpd", "8.5", None),
        ("Microsoft-HTTPAPI/2.0", "Microsoft HTTPAPI httpd", "2.0", "SSDP/UPnP"),
        ("Jetty(9.4.31.v20200723)", "Jetty", "9.4.31.v20200723", None),
        ("Apache-Coyote/1.1", "Apache Tomcat/Coyote JSP engine", "1.1", None),
        ("MiniServ/1.890", "MiniServ", "1.890", "Webmin httpd"),
        ("uc-httpd 1.0.0", "uc-httpd", "1.0.0", None),
        ("Boa/0.94.14rc21", "Boa HTTPd", "0.94.14rc21", None),
        ("RomPager/4.07 UPnP/1.0", "Allegro RomPager", "4.07", "UPnP/1.0"),
        ("debut/1.20", "Debut embedded httpd", "1.20", "Brother/HP printer http admin"),
        ("Tasmota/12.4.0 (ESP8266EX)", "Tasmota", "12.4.0", "ESP8266EX"),
        ("Linux/3.10 UPnP/1.0 Portable SDK for UPnP devices/1.6.19", "Portable SDK for UPnP devices", "1.6.19", None),
        ("Python/3.11 aiohttp/3.8.4", "aiohttp", "3.8.4", "Python 3.11"),
        ("SimpleHTTP/0.6 Python/3.9.2", "SimpleHTTPServer", "0.6", "Python/3.9.2"),
        ("Frobnicator/1.2.3 (beta)", "Frobnicator", "1.2.3", "beta"),
        ("Frobnicator", "Frobnicator", None, None),
        ("WebServer", None, None, None),
        ("Web-Server/3.0", None, None, None),
        ("", None, None, None),
        ("/1.0", None, None, None),
    ],
)  # fmt: skip
def test_server_headers(server, product, version, info):
    found = named(Server=server)
    assert (found.product, found.version, found.extra_info) == (product, version, info)


@pytest.mark.parametrize(
    ("shown", "product", "version", "kind", "model"),
    [
        ({"title": "RouterOS router configuration page", "body": "<h1>RouterOS v6.42</h1>"}, "MikroTik RouterOS", "6.42", "router", None),
        ({"body": "<h1>RouterOS v7.5rc1</h1>"}, "MikroTik RouterOS", "7.5rc1", "router", None),
        ({"title": "RouterOS"}, "MikroTik RouterOS", None, "router", None),
        ({"Server": "HP HTTP Server; HP LaserJet 400 M401dn - CF278A; Serial Number: VNB3K12345; Built:Tue"}, "HP LaserJet 400 M401dn printer http config", None, "printer", "LaserJet 400 M401dn"),
        ({"title": "HP LaserJet 4250 &nbsp;&nbsp;&nbsp;192.0.2.7", "Server": "Virata-EmWeb/R6_2_1"}, "HP LaserJet 4250 printer http config", None, "printer", "LaserJet 4250"),
        ({"title": "HP Officejet Pro 8600"}, "HP Officejet Pro 8600 printer http config", None, "printer", "Officejet Pro 8600"),
        ({"title": "Brother HL-L2350DW series", "Server": "debut/1.20"}, "Debut embedded httpd", "1.20", "printer", "HL-L2350DW"),
        ({"title": "Brother MFC-9970CDW"}, "Brother MFC-9970CDW printer http config", None, "printer", "MFC-9970CDW"),
        ({"Server": "CANON HTTP Server"}, "Canon printer http config", None, "printer", None),
        ({"Server": "EPSON_Linux UPnP/1.0 Epson UPnP SDK/1.0"}, "Epson printer http config", None, "printer", None),
        ({"title": "XEROX WORKCENTRE 7835"}, "Xerox WORKCENTRE 7835 printer http config", None, "printer", "WORKCENTRE 7835"),
        ({"title": "Web Image Monitor", "Server": "Web-Server/3.0"}, "Ricoh Aficio printer web image monitor", None, "printer", None),
        ({"Server": "KM-MFP-http/V0.0.1"}, "Kyocera printer http config", None, "printer", None),
        ({"title": "Lexmark MS410dn"}, "Lexmark MS410dn printer http config", None, "printer", "MS410dn"),
        ({"title": "SyncThru Web Service"}, "Samsung SyncThru Web Service", None, "printer", None),
        ({"Server": "App-webs/"}, "Hikvision IP camera httpd", None, "webcam", None),
        ({"Server": "DNVRS-Webs"}, "Hikvision Network Video Recorder http admin", None, "webcam", None),
        ({"title": "WEB SERVICE"}, "Dahua webcam httpd", None, "webcam", None),
        ({"title": "AXIS M1065-LW Network Camera"}, "AXIS M1065-LW camera httpd", None, "webcam", "M1065-LW"),
        (realm("AXIS_ACCC8E012345"), "AXIS camera httpd", None, "webcam", None),
        ({"title": "Reolink"}, "Reolink IP camera httpd", None, "webcam", None),
        ({"title": "NETSurveillance WEB", "Server": "uc-httpd 1.0.0"}, "uc-httpd", "1.0.0", "media device", None),
        ({"Server": "Cross Web Server"}, "TVT DVR httpd", None, "media device", None),
        ({"title": "nas01 - Synology DiskStation", "Server": "nginx"}, "Synology DiskStation Manager", None, "storage-misc", None),
        ({"Server": "http server 1.0"}, "QNAP NAS http config", None, "storage-misc", None),
        ({"title": "TrueNAS"}, "TrueNAS http config", None, "storage-misc", None),
        ({"Set_Cookie": "AIROS_68D79A010203=1; Path=/"}, "Ubiquiti airOS http config", None, "WAP", None),
        (realm("TP-LINK Wireless N Router WR841N"), "TP-LINK WR841N WAP http config", None, "WAP", "WR841N"),
        (realm("DIR-615"), "D-Link DIR-615 http config", None, "router", "DIR-615"),
        (realm("NETGEAR R7000"), "Netgear R7000 router http config", None, "router", "R7000"),
        (realm("RT-AC66U"), "ASUS WRT http admin", None, "WAP", "RT-AC66U"),
        (realm("Linksys WRT54GL"), "Linksys WRT54GL router http config", None, "router", "WRT54GL"),
        ({"title": "Vigor Login Page"}, "DrayTek Vigor router http config", None, "router", None),
        ({"title": "FRITZ!Box 7490"}, "AVM FRITZ!Box WAP http config", None, "WAP", "7490"),
        ({"title": "OpenWrt - LuCI"}, "LuCI Lua http config", None, "WAP", None),
        ({"title": "pfSense - Login", "Server": "nginx"}, "pfSense http config", None, "firewall", None),
        ({"title": "Login | OPNsense", "Server": "OPNsense"}, "OPNsense http config", None, "firewall", None),
        ({"Server": "cisco-IOS"}, "Cisco IOS http config", None, "router", None),
        ({"Server": "xxxxxxxx-xxxxx"}, "Fortinet FortiGate firewall http config", None, "firewall", None),
        ({"Server": "SonicWALL"}, "SonicWALL firewall http config", None, "firewall", None),
        ({"title": "Log In - Juniper Web Device Manager"}, "Juniper router http config", None, "router", None),
        ({"Server": "yealink embed httpd"}, "Yealink VoIP phone httpd", None, "VoIP phone", None),
        ({"Server": "Grandstream GXP1625 1.0.4.128"}, "Grandstream GXP1625 VoIP phone http config", "1.0.4.128", "VoIP phone", "GXP1625"),
        ({"Server": "snom embedded"}, "Snom VoIP phone http config", None, "VoIP phone", None),
        ({"title": "Apache Tomcat/7.0.68", "Server": "Apache-Coyote/1.1"}, "Apache Tomcat", "7.0.68", None, None),
        ({"title": "HTTP Status 404 - Not Found", "body": "<h3>Apache Tomcat/9.0.31</h3>"}, "Apache Tomcat", "9.0.31", None, None),
        ({"X_Jenkins": "2.346.1", "Server": "Jetty(9.4.45.v20220203)"}, "Jenkins httpd", "2.346.1", None, None),
        ({"Server": "Debian DLNADOC/1.50 UPnP/1.0 MiniDLNA/1.3.0"}, "MiniDLNA", "1.3.0", None, None),
        ({"Server": "SHP, UPnP/1.0, Samsung UPnP SDK/1.0"}, "Samsung TV upnpd", None, "media device", None),
        ({"body": '{"cluster_name" : "x", "version" : {"number" : "7.10.2"}, "tagline" : "You Know, for Search"}'}, "Elasticsearch REST API", "7.10.2", None, None),
        ({"body": '{"couchdb":"Welcome","version":"2.3.1"}', "Server": "CouchDB/2.3.1 (Erlang OTP/19)"}, "CouchDB httpd", "2.3.1", None, None),
        ({"title": "pve1 - Proxmox Virtual Environment", "Server": "pve-api-daemon/3.0"}, "Proxmox Virtual Environment REST API", None, None, None),
        ({"body": '<meta name="generator" content="WordPress 4.7.1">', "Server": "Apache/2.4.10"}, "Apache httpd", "2.4.10", None, None),
        ({"body": '<meta name="generator" content="WordPress 4.7.1">'}, "WordPress", "4.7.1", None, None),
    ],
)  # fmt: skip
def test_pages(shown, product, version, kind, model):
    found = named(**shown)
    assert (found.product, found.version, found.device_type, found.model) == (product, version, kind, model)


@pytest.mark.parametrize(
    ("shown", "cpes"),
    [
        ({"body": "<h1>RouterOS v6.42</h1>"}, ("cpe:/o:mikrotik:routeros:6.42",)),
        ({"title": "RouterOS"}, ("cpe:/o:mikrotik:routeros",)),
        (realm("TP-LINK Wireless N Router WR841N"), ("cpe:/h:tp-link:tl-wr841n",)),
        ({"Server": "Grandstream GXP1625 1.0.4.128"}, ("cpe:/h:grandstream:gxp1625", "cpe:/o:grandstream:gxp1625_firmware:1.0.4.128")),
        ({"body": '<meta name="generator" content="Joomla! 3.4.5">'}, ("cpe:/a:joomla:joomla%21:3.4.5",)),
        ({"Server": "nginx/1.25~rc+1"}, ("cpe:/a:f5:nginx:1.25%7erc%2b1",)),
        ({"Server": "App-webs/"}, ()),
    ],
)  # fmt: skip
def test_names_for_the_catalogue(shown, cpes):
    found = named(**shown)
    assert found.cpes == cpes
    assert all(parse_cpe(cpe) for cpe in found.cpes)


@pytest.mark.parametrize(
    ("key", "shown", "answer", "version", "more"),
    [
        ("webfig", {"title": "RouterOS"}, '{ crc: 1, name: "roteros.jg", version: "7.18.2" }', "7.18.2", {}),
        ("ilo", {"Server": "HPE-iLO-Server/1.30"}, "<MP><PN>Integrated Lights-Out 5 (iLO 5)</PN><FWRI>2.10</FWRI>", "2.10", {"cpes": ("cpe:/o:hpe:integrated_lights-out_5_firmware:2.10",)}),
        ("esxi", {"title": '" + ID_EESX_Welcome + "'}, "<version>6.7.0</version><build>17700523</build>", "6.7.0", {"cpes": ("cpe:/o:vmware:esxi:6.7.0",)}),
        ("qnap", {"Server": "http server 1.0"}, "<version><![CDATA[4.3.6]]></version><displayModelName><![CDATA[TS-453A]]></displayModelName>", "4.3.6", {"model": "TS-453A"}),
        ("fritz", {"title": "FRITZ!Box"}, "<j:Name>FRITZ!Box 7490</j:Name><j:Version>113.07.29</j:Version>", "7.29", {"model": "FRITZ!Box 7490"}),
        ("axis", {"title": "AXIS"}, '{"data": {"propertyList": {"ProdNbr": "M1065-LW", "Version": "9.80.1", "SerialNumber": "ACCC8E012345"}}}', "9.80.1", {"mac": "AC:CC:8E:01:23:45"}),
        ("unifi", {"title": "UniFi Network"}, '{"meta":{"rc":"ok","server_version":"5.6.39"}}', "5.6.39", {"cpes": ("cpe:/a:ui:unifi_controller:5.6.39",)}),
        ("grafana", {"title": "Grafana"}, '{"commit":"x","database":"ok","version":"9.5.2"}', "9.5.2", {"cpes": ("cpe:/a:grafana:grafana:9.5.2",)}),
        ("plex", {"X_Plex_Protocol": "1.0"}, '<MediaContainer size="0" version="1.32.5.7349-8f4248874">', "1.32.5.7349", {}),
        ("idrac", {"title": "iDRAC9 - Login"}, '{"Attributes":{"FwVer":"3.30.30.30","iDRACName":"idrac-ABC"}}', "3.30.30.30", {"cpes": ("cpe:/o:dell:idrac9_firmware:3.30.30.30",)}),
    ],
)  # fmt: skip
def test_a_second_request_tells_the_version(key, shown, answer, version, more):
    sighting = look_at(page(**shown))
    assert sighting.question is QUESTIONS[key]
    found = conclude(learn(sighting, sighting.question, answer))
    assert found.version == version
    assert {name: getattr(found, name) for name in more} == more
    assert conclude(learn(sighting, sighting.question, "<html>no</html>")).version is None


@pytest.mark.parametrize(
    "text", ["pfSense", "FortiGate", "Grandstream", "HUAWEI", "Synology", "Apache Tomcat/7.0.68", "TP-LINK"]
)
def test_a_page_that_only_mentions_a_product_is_none(text):
    found = named("Our network", f"<p>We replaced the {text} of the branch.</p>", Server="nginx/1.22.1")
    assert (found.product, found.version, found.device_type) == ("nginx", "1.22.1", None)


def test_every_row_is_well_formed():
    for row in (*NETWORKS, *DEVICES, *APPLICATIONS, *BESIDES):
        assert set(row.place.split("|")) <= set(PLACES), row
        groups = set(re.compile(row.says).groupindex)
        assert groups <= {
            "model",
            "model2",
            "version",
            "version2",
            "name",
            "mac",
            "serial",
            "sdk",
            "dlna",
            "upnp",
        }, row
        assert not row.ask or row.ask in QUESTIONS, row
        if row.cpe:
            assert parse_cpe(row.cpe.replace("{slug}", "x").replace(":{version}", ":1"))
    for server in SERVERS.values():
        assert not server.cpe or parse_cpe(f"cpe:/a:{server.cpe}:1")


@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=300))
def test_no_words_break_it(server, title, body):
    raw = f"HTTP/1.1 200 OK\r\nServer: {server}\r\n\r\n<title>{title}</title>{body}".encode()
    found = conclude(look_at(read_page(parse_response(raw))))
    assert len(found.product or "") <= 200
    read_server(server)


@given(st.sampled_from(sorted(QUESTIONS)), st.text(max_size=300))
def test_no_answer_breaks_it(key, text):
    sighting = look_at(page(title="RouterOS"))
    assert conclude(learn(sighting, QUESTIONS[key], text)).product
