"""PURE: how routers, switches, access points, firewalls and managed servers show themselves on the web."""

from __future__ import annotations

from typing import Final

from netvigil.probing.speak.web_rows import Row

_ROUTEROS: Final = r"(?P<version>\d{1,2}\.\d{1,3}(?:\.\d{1,3})?(?:(?:alpha|beta|rc)\d{1,3})?)"

ROUTERS: Final = (
    Row("body|title", rf"RouterOS v{_ROUTEROS}", "MikroTik RouterOS", "router", "cpe:/o:mikrotik:routeros:{version}", "RouterOS"),
    Row("title", r"^RouterOS(?: router configuration page)?$", "MikroTik RouterOS", "router", "cpe:/o:mikrotik:routeros", "RouterOS", ask="webfig"),
    Row("title", r"mikrotik hotspot", "MikroTik HotSpot", "router", "cpe:/o:mikrotik:routeros", "RouterOS"),
    Row("server", r"^mikrotik httpproxy", "MikroTik http proxy", "router", "cpe:/o:mikrotik:routeros", "RouterOS"),
    Row("headers", r"set-cookie: AIROS_(?P<mac>[0-9A-F]{12})=", "Ubiquiti airOS http config", "WAP", "cpe:/o:ui:airos", "airOS"),
    Row("headers|body", r"\bAIROS_SESSIONID=|/cookiechecker\?uri=|airos_logo", "Ubiquiti airOS http config", "WAP", "cpe:/o:ui:airos", "airOS"),
    Row("title|body", r"^EdgeOS|<title>EdgeOS|EDGE\.DeviceModel", "Ubiquiti EdgeOS http config", "router", "cpe:/o:ui:edgeos", "EdgeOS"),
    Row("title", r"^(?:UniFi Dream \w+|UDM[\w -]*|UniFi OS|UniFi Network|UniFi)$", "Ubiquiti UniFi Network httpd", "", "cpe:/a:ui:unifi_controller", ask="unifi"),
    Row("realm|title", r"TP-LINK .{0,60}?\b(?P<model>(?:TL-)?(?:W[RA]|WDR|MR|WPA|WVR|R|ER|SG|SL|SC|NC)\d{2,5}\w{0,4}|(?:Archer|Deco|Omada) ?[\w-]{1,8})\s*$", "TP-LINK {model} WAP http config", "WAP", "cpe:/h:tp-link:{slug}"),
    Row("realm|title", r"^(?P<model>TL-[A-Z]{1,4}\d{2,5}\w{0,4}|Archer [A-Z]{1,3}\d{1,4}\w{0,4}|Deco [A-Z]\d{1,3})\b", "TP-LINK {model} WAP http config", "WAP", "cpe:/h:tp-link:{slug}"),
    Row("title|realm|server|body", r"^TP-LINK\b|^TL-[A-Z]{1,3}\d|tplinkwifi\.net|tplinklogin\.net", "TP-LINK router http config", "router"),
    Row("title|realm|server", r"\b(?P<model>(?:DIR|DSL|DAP|DVA|DWR|DGS|DES|DNS|DNR|DI|DVG|DWC|DSR|COVR)-\d{2,4}\w{0,4})\b", "D-Link {model} http config", "router", "cpe:/h:dlink:{slug}"),
    Row("title|realm|server", r"^D-LINK\b", "D-Link http config", "router"),
    Row("realm|title", r"^NETGEAR (?:Router )?(?P<model>[A-Z]{1,4}\d{2,5}\w{0,6})", "Netgear {model} router http config", "router", "cpe:/h:netgear:{slug}"),
    Row("realm|title|body", r"^NETGEAR\b|routerlogin\.(?:net|com)", "Netgear router http config", "router"),
    Row("realm|title", r"^(?:ASUS Wireless Router )?(?P<model>(?:RT|GT|DSL|TUF|BRT)-[A-Z]{1,3}\d{2,5}\w{0,4})\b", "ASUS WRT http admin", "WAP", "cpe:/h:asus:{slug}"),
    Row("title|body", r"^ASUS (?:Login|Wireless Router)\b|Main_Login\.asp", "ASUS WRT http admin", "WAP", "cpe:/o:asus:asuswrt"),
    Row("realm|title", r"^Linksys (?P<model>[A-Z]{2,6}\d{2,5}\w{0,4})|^(?P<model2>WRT\d{2,4}\w{0,4}|BEFSR\d{2}|E[AR]?\d{4})$", "Linksys {model} router http config", "router", "cpe:/h:linksys:{slug}"),
    Row("title|realm", r"^Linksys\b", "Linksys router http config", "router"),
    Row("title|realm", r"^(?:ZyXEL )?(?P<model>USG ?FLEX \d{2,3}\w{0,3}|(?:ZyWALL )?USG ?\d{2,4}\w{0,3}|ATP\d{3}\w?|(?:NBG-?|NWA|VMG|AMG|EMG|XGS|P-)\d{3,4}[\w-]{0,8}|GS[1-3][1-9]\d\d[\w-]{0,6})$", "ZyXEL {model} http config", "router", "cpe:/h:zyxel:{slug}"),
    Row("title|realm|server", r"^ZyXEL\b|^Welcome to ZyXEL|\bZyWALL\b", "ZyXEL http config", "router"),
    Row("title|realm|server", r"\b(?:DrayTek/)?(?P<model>Vigor ?(?:AP ?|Switch ?)?\d{3,4}\w{0,3})\b", "DrayTek {model} router http config", "router", "cpe:/h:draytek:{slug}"),
    Row("title|realm|server", r"\bDrayTek\b|^Vigor Login Page", "DrayTek Vigor router http config", "router"),
    Row("title|realm", r"^Huawei (?:EchoLife )?(?P<model>[A-Z]{1,2}\d{3,4}[\w-]{0,6})|^(?P<model2>HG\d{3,4}\w{0,4}|EG8\d{3}\w{0,4})$", "Huawei {model} WAP http admin", "WAP", "cpe:/h:huawei:{slug}"),
    Row("title|realm", r"^Huawei\b", "Huawei http admin", "router"),
    Row("title", r"^FRITZ!Box\b ?(?P<model>[\w ()-]{0,30})|^FRITZ!(?P<model2>Repeater|Powerline)", "AVM FRITZ!Box WAP http config", "WAP", "", "FRITZ!OS", ask="fritz"),
    Row("server", r"\bFRITZ!Box (?P<model>[\w ()-]{1,30})", "AVM FRITZ!Box WAP http config", "WAP", "", "FRITZ!OS", ask="fritz"),
    Row("title", r"^(?P<name>[\w-]{1,63}) - LuCI$", "LuCI Lua http config", "WAP", "cpe:/o:openwrt:openwrt", "OpenWrt"),
    Row("headers|body", r"/cgi-bin/luci\b|/luci-static/", "LuCI Lua http config", "WAP", "cpe:/o:openwrt:openwrt", "OpenWrt"),
    Row("title", r"DD-WRT", "DD-WRT milli_httpd", "WAP", "", "DD-WRT"),
    Row("title|realm", r"\bTenda\b", "Tenda WAP http admin", "WAP"),
    Row("title|realm", r"\bMERCUSYS\b", "Mercusys WAP http config", "WAP"),
    Row("title|realm|server", r"\bZTE (?:corp|ZX)|^ZTE\b|^(?P<model>F6[0-9]{2}\w?)$", "ZTE {model} router http config", "router"),
    Row("title|server|realm", r"\bTeltonika\b", "Teltonika router http config", "router"),
    Row("title|realm", r"^Speedport\b ?(?P<model>[\w ]{0,20})", "Telekom Speedport {model} http config", "broadband router"),
)  # fmt: skip

FIREWALLS: Final = (
    Row("title|body", r"^pfSense\b|pfSenseHelpers\.js|/css/pfSense", "pfSense http config", "firewall", "cpe:/a:netgate:pfsense", "FreeBSD"),
    Row("title|body|headers", r"\| OPNsense$|^OPNsense\b|/ui/themes/opnsense|set-cookie: OPNsense", "OPNsense http config", "firewall", "cpe:/a:opnsense:opnsense", "FreeBSD"),
    Row("server", r"^cisco-IOS", "Cisco IOS http config", "router", "cpe:/o:cisco:ios", "IOS"),
    Row("realm", r"^level_?15_access|^level \d+ or view_access", "Cisco IOS http config", "router", "cpe:/o:cisco:ios", "IOS"),
    Row("headers|body", r"/\+CSCOE\+/|/CSCOSSLC/", "Cisco ASA SSL VPN http config", "firewall", "cpe:/o:cisco:adaptive_security_appliance_software"),
    Row("title", r"\bCisco (?P<model>(?:RV|SG|SF|CBS|WAP|SLM|SRW)\d{2,4}[\w-]{0,8})", "Cisco {model} http config", "router", "cpe:/h:cisco:{slug}"),
    Row("server|title|realm", r"^Cisco\b", "Cisco http config", ""),
    Row("server", r"^x{8}-x{5}$", "Fortinet FortiGate firewall http config", "firewall", "cpe:/o:fortinet:fortios", "FortiOS"),
    Row("title|headers|body", r"^FortiGate\b|/remote/login\?lang|/fgt_lang", "Fortinet FortiGate firewall http config", "firewall", "cpe:/o:fortinet:fortios", "FortiOS"),
    Row("server|title", r"\bSonicWALL\b", "SonicWALL firewall http config", "firewall", "cpe:/o:sonicwall:sonicos", "SonicOS"),
    Row("title", r"Juniper Web Device Manager|^J-Web\b", "Juniper router http config", "router", "cpe:/o:juniper:junos", "JUNOS"),
    Row("title|body|headers", r"^Aruba Instant\b|/swarm\.cgi", "Aruba Instant WAP http config", "WAP", "cpe:/o:arubanetworks:instant"),
    Row("title|realm", r"\bArubaOS\b|^Aruba\b", "Aruba router http config", "router", "cpe:/o:arubanetworks:arubaos"),
    Row("server", r"^eHTTP v(?P<version>[\d.]+)", "HP ProCurve switch http config", "switch"),
    Row("title", r"^Ruckus\b|^Unleashed Login", "Ruckus WAP http config", "WAP"),
    Row("title|server", r"^Cambium\b|^ePMP\b|^cnPilot\b|^cnMaestro\b", "Cambium Networks http config", "WAP"),
    Row("title|server", r"\bSophos\b", "Sophos firewall http config", "firewall"),
    Row("title|realm", r"\bFireware\b|\bWatchGuard\b", "WatchGuard firewall http config", "firewall"),
    Row("server", r"^Check Point SVN foundation", "Check Point SVN foundation httpd", "firewall"),
    Row("title|headers|body", r"^GlobalProtect Portal|/global-protect/login\.esp", "Palo Alto GlobalProtect Gateway httpd", "firewall", "cpe:/o:paloaltonetworks:pan-os", "PAN-OS"),
    Row("server", r"^BIG-?IP\b", "F5 BIG-IP load balancer httpd", "load balancer"),
)  # fmt: skip

SERVERS: Final = (
    Row("title|body", r"ID_EESX_Welcome|content=\"VMware ESXi\b|^VMware ESXi\b", "VMware ESXi Server httpd", "", "cpe:/o:vmware:esxi", "VMware ESXi", ask="esxi"),
    Row("title|body", r"ID_VC_Welcome|content=\"VMware vSphere is", "VMware vCenter Server httpd", "", "cpe:/a:vmware:vcenter_server", ask="esxi"),
    Row("title", r"^(?:(?P<name>[\w-]{1,63}) - )?Proxmox Virtual Environment$", "Proxmox Virtual Environment REST API", "", "cpe:/a:proxmox:virtual_environment", "Linux"),
    Row("server", r"^pve-api-daemon/", "Proxmox Virtual Environment REST API", "", "cpe:/a:proxmox:virtual_environment", "Linux"),
    Row("title", r"\biDRAC(?P<model>\d)?\b|^Integrated Dell Remote Access Controller(?: (?P<model2>\d))?", "Dell iDRAC http admin", "remote management", "cpe:/o:dell:idrac{slug}_firmware", ask="idrac"),
    Row("headers", r"^location: \S{0,60}/restgui/start\.html", "Dell iDRAC http admin", "remote management", "", ask="idrac"),
    Row("server", r"^HPE?-iLO-Server/", "HP Integrated Lights-Out web interface", "remote management", ask="ilo"),
    Row("title", r"\bHPE? Integrated Lights-Out\b|^iLO\b", "HP Integrated Lights-Out web interface", "remote management", ask="ilo"),
    Row("body", r"ATEN International Co Ltd|cgi/url_redirect\.cgi\?url_name=", "Supermicro IPMI httpd", "remote management"),
    Row("title", r"Cisco Integrated Management Controller", "Cisco Integrated Management Controller httpd", "remote management", "cpe:/a:cisco:integrated_management_controller"),
    Row("title|realm|body", r"^APC \| Log On|^APC Management Card|^(?:<.{0,99})?APC Network Management Card", "APC Management Web Server", "power-device"),
)  # fmt: skip

NETWORKS: Final = (*ROUTERS, *FIREWALLS, *SERVERS)
