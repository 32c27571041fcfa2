"""PURE: how printers, cameras, stores and phones show themselves on the web: one row per sign, nmap's wording."""

from __future__ import annotations

from typing import Final

from netvigil.probing.speak.web_rows import Row

_HP_FAMILY: Final = r"(?:Color |Enterprise |Business )*(?:LaserJet|OfficeJet|DeskJet|Photosmart|PageWide|ENVY|DesignJet|Smart Tank|Ink Tank|Laser|Neverstop|ScanJet)"

PRINTERS: Final = (
    Row(
        "server",
        r"^HP HTTP Server; (?:HP )?(?P<model>[^;]{2,60}?)(?: - \w+)?; Serial Number: (?P<serial>\w{1,20})",
        "HP {model} printer http config",
        "printer",
        "cpe:/h:hp:{slug}",
        info="Serial {serial}",
    ),
    Row("server", r"^HP HTTP Server; (?:HP )?(?P<model>[^;]{2,60}?)(?: - \w+)?(?:;|$)", "HP {model} printer http config", "printer", "cpe:/h:hp:{slug}"),
    Row("title", rf"(?:^|\bHP )(?P<model>{_HP_FAMILY}\b[\w. +/-]{{0,40}}?)(?:\s*(?:&nbsp;|\xa0|[|(:,]|series\b|\d+\.\d+\.\d+\.\d+|NPI)|\s*$)", "HP {model} printer http config", "printer", "cpe:/h:hp:{slug}"),
    Row("server", r"^HP-Chai(?:SOE|Server)/", "HP LaserJet printer http config", "printer"),
    Row("title|realm|server", r"\bHP (?:Web )?Jet ?direct\b|^JetDirect\b", "HP JetDirect printer http config", "print server"),
    Row("title", r"\bBrother (?P<model>(?:HL|MFC|DCP|ADS|QL|PT|FAX|TD|RJ|NC)-?[\w-]{1,20})", "Brother {model} printer http config", "printer", "cpe:/h:brother:{slug}"),
    Row("title|realm", r"^Brother (?:\w+ )?(?:Printer|series)\b", "Brother printer http config", "printer"),
    Row("title", r"\bCanon (?P<model>(?:MF|LBP|iR|imageRUNNER|imageCLASS|i-SENSYS|TS|TR|MG|MX|G|PIXMA|MAXIFY|imagePROGRAF)[\w. -]{0,30}?)(?: series)?(?:$|[:(|])", "Canon {model} printer http config", "printer", "cpe:/h:canon:{slug}"),
    Row("server", r"^(?:CANON HTTP Server|KS_HTTP/)", "Canon printer http config", "printer"),
    Row("title", r"Remote UI[^<]{0,40}: (?P<model>(?:MF|LBP|iR)[\w. -]{0,30})", "Canon {model} printer http config", "printer"),
    Row("title", r"\bEPSON (?P<model>(?:XP|WF|ET|EP|SC|PX|L|AL|TM|WorkForce|Expression|Stylus|EcoTank|SureColor)[\w. -]{0,30}?)(?: series)?(?:$|[:(|])", "Epson {model} printer http config", "printer", "cpe:/h:epson:{slug}"),
    Row("title", r"^(?P<model>(?:XP|WF|ET)-\d{3,5}\w?) Series$", "Epson {model} printer http config", "printer", "cpe:/h:epson:{slug}"),
    Row("server", r"\bEPSON(?:_Linux|[ -]HTTP|net)", "Epson printer http config", "printer"),
    Row("title", r"\b(?:Fuji )?Xerox\W{0,3} (?P<model>(?:WorkCentre|Phaser|VersaLink|AltaLink|ColorQube|DocuPrint|DocuCentre|ApeosPort)\W{0,3}[\w. -]{0,30})", "Xerox {model} printer http config", "printer"),
    Row("title", r"^(?P<model>(?:WorkCentre|Phaser|VersaLink|AltaLink|ColorQube)\W{0,3}[\w. -]{0,30})", "Xerox {model} printer http config", "printer"),
    Row("title", r"CentreWare Internet Services", "Xerox printer http config", "printer"),
    Row("title|body|headers", r"^Web Image Monitor|/web/(?:guest|user)/\w\w/websys/webArch", "Ricoh Aficio printer web image monitor", "printer"),
    Row("title", r"\b(?:RICOH|Aficio|NRG|LANIER|SAVIN) (?P<model>(?:MP|SP|IM|P|M|Aficio)[\w. -]{1,30})", "Ricoh {model} printer http config", "printer", "cpe:/h:ricoh:{slug}"),
    Row("server", r"^KM-MFP-http/", "Kyocera printer http config", "printer"),
    Row("title", r"\bKYOCERA (?P<model>(?:ECOSYS|TASKalfa|FS)[\w. -]{1,30})", "Kyocera {model} printer http config", "printer", "cpe:/h:kyocera:{slug}"),
    Row("title", r"^KYOCERA\b|^Command Center RX", "Kyocera printer http config", "printer"),
    Row("title", r"\bLexmark (?P<model>[A-Z]{1,2}\d{3,4}\w{0,6})", "Lexmark {model} printer http config", "printer", "cpe:/h:lexmark:{slug}"),
    Row("title|realm|server", r"^Lexmark\b", "Lexmark printer http config", "printer"),
    Row("title|body|headers", r"^SyncThru Web Service|/sws/index\.(?:sws|html)", "Samsung SyncThru Web Service", "printer", "cpe:/a:samsung:syncthru_web_service"),
    Row("title", r"PageScope Web Connection|^Web Connection$", "Konica Minolta PageScope Web Connection httpd", "printer"),
    Row("title|server", r"^SHARP\b|^(?P<model>MX-[A-Z]?\d{3,4}[A-Z]{0,2})(?: -|$)", "Sharp {model} printer http config", "printer"),
    Row("title|server|realm", r"\bOKI (?P<model>(?:MC|MB|ES|C|B)\d{3,4}\w{0,4})", "OKI {model} printer http config", "printer"),
    Row("title|body", r"^Zebra\b|Zebra Technologies<BR>(?P<model>[\w -]{2,30})", "Zebra printer http config", "printer"),
    Row("title|server", r"^(?:TOSHIBA )?TopAccess\b|^TOSHIBA TEC", "Toshiba TopAccess printer httpd", "printer"),
)  # fmt: skip

CAMERAS: Final = (
    Row("realm|title", r"\b(?P<model>DS-[27][CD][A-Z]{0,2}\d[\w-]{3,30})", "Hikvision IP camera httpd", "webcam", "cpe:/h:hikvision:{slug}"),
    Row("server", r"^(?:App-webs/|Hikvision-Webs)", "Hikvision IP camera httpd", "webcam"),
    Row("server", r"^DNVRS-Webs", "Hikvision Network Video Recorder http admin", "webcam"),
    Row("server", r"^DVRDVS-Webs", "Hikvision DVR web UI", "media device"),
    Row("realm", r"^(?:IP Camera\(|HikvisionDS|HikvisionDigital)", "Hikvision IP camera httpd", "webcam"),
    Row("headers|body", r"/doc/page/(?:login|config|preview)\.asp|/doc/index\.html#/portal", "Hikvision IP camera httpd", "webcam"),
    Row("title|realm|server", r"\bAmcrest\b", "Amcrest IP camera http interface", "webcam"),
    Row("title", r"^WEB SERVICE$", "Dahua webcam httpd", "webcam"),
    Row("realm", r"^(?:DH_|Login to [0-9A-Z]{10,20}$)", "Dahua webcam httpd", "webcam"),
    Row("body", r"/RPC2_Login|jsCore/rpcCore", "Dahua webcam httpd", "webcam"),
    Row("title", r"\bAXIS (?P<model>[A-Z]?\d{3,4}(?:-\w{1,4})?(?: Mk \w{1,3})?)\b.{0,60}[Cc]amera", "AXIS {model} camera httpd", "webcam", "cpe:/h:axis:{slug}", ask="axis"),
    Row("title|realm|body", r"^AXIS\b|\bAXIS_[0-9A-F]{12}\b|/camera/index\.html#?/|/axis-cgi/", "AXIS camera httpd", "webcam", ask="axis"),
    Row("title", r"^Reolink\b", "Reolink IP camera httpd", "webcam"),
    Row("server", r"^Netwave IP Camera", "Netwave webcam http config", "webcam"),
    Row("title|realm", r"\bFoscam\b|^IPCam Client$", "Foscam IP camera http config", "webcam"),
    Row("title|realm|server", r"\bUniview\b|^NVR-?UNV\b", "Uniview IP camera httpd", "webcam"),
    Row("server", r"^Cross Web Server", "TVT DVR httpd", "media device"),
    Row("title|realm", r"^TVT\b", "TVT DVR httpd", "media device"),
    Row("title", r"^NETSurveillance(?: WEB)?$", "Xiongmai NetSurveillance DVR httpd", "media device"),
    Row("server|title|realm", r"\bVivotek\b", "Vivotek IP camera httpd", "webcam"),
    Row("title|realm", r"\bMOBOTIX (?P<model>[\w-]{2,10})|^MOBOTIX\b", "MOBOTIX {model} camera httpd", "webcam"),
    Row("realm|title", r"^iPolis\b|^WISENET\b|Hanwha (?:Techwin|Vision)", "Hanwha Wisenet IP camera httpd", "webcam"),
    Row("server|title", r"^GeoHttpServer|\bGeoVision\b", "GeoVision GeoHttpServer webcam httpd", "webcam"),
    Row("realm|title", r"^(?P<model>DCS-\d{3,4}\w{0,4})", "D-Link {model} webcam http interface", "webcam", "cpe:/h:dlink:{slug}"),
    Row("title", r"^UniFi (?:Video|Protect)\b", "Ubiquiti UniFi Video httpd", "webcam"),
)  # fmt: skip

STORES: Final = (
    Row("title", r"^(?P<name>[\w-]{1,63})\s*-\s*Synology\s*(?:DiskStation|RackStation|NAS|DS|RS|VS)?(?P<model>\w*)", "Synology DiskStation Manager", "storage-misc", "cpe:/o:synology:diskstation_manager", "DSM"),
    Row("title|body", r"^Synology\b|SYNO\.SDS\.", "Synology DiskStation Manager", "storage-misc", "cpe:/o:synology:diskstation_manager", "DSM"),
    Row("title|realm", r"\bQNAP\b", "QNAP NAS http config", "storage-misc", "cpe:/o:qnap:qts", "QTS", ask="qnap"),
    Row("server", r"^http server 1\.0$", "QNAP NAS http config", "storage-misc", "cpe:/o:qnap:qts", "QTS", ask="qnap"),
    Row("title|realm", r"\b(?:WD ?My ?Cloud|My ?Cloud (?:EX|PR|DL|Home|Mirror))(?P<model>\w*)|^My Cloud\b", "Western Digital My Cloud http config", "storage-misc"),
    Row("title", r"\bTrueNAS(?: (?:CORE|SCALE))?\b", "TrueNAS http config", "storage-misc"),
    Row("title", r"\bFreeNAS\b", "FreeNAS http config", "storage-misc", "cpe:/a:freenas:freenas", "FreeBSD"),
    Row("title|realm", r"\bReadyNAS\b", "Netgear ReadyNAS http config", "storage-misc", "cpe:/o:netgear:readynas_os"),
    Row("title|realm", r"\b(?:LinkStation|TeraStation)\b", "Buffalo {model} NAS http config", "storage-misc"),
    Row("title", r"^ASUSTOR\b", "ASUSTOR ADM http config", "storage-misc"),
    Row("title", r"openmediavault", "OpenMediaVault http config", "storage-misc", "cpe:/a:openmediavault:openmediavault"),
    Row("title|realm", r"\bUnraid\b", "Unraid http config", "storage-misc"),
)  # fmt: skip

PHONES: Final = (
    Row("server|realm|title", r"\bYealink (?P<model>(?:SIP[- ])?(?:T|W|CP|VP|VC)\d{2,4}\w{0,4})(?:[ /](?P<version>\d+\.\d+\.\d+\.\d+))?", "Yealink {model} VoIP phone httpd", "VoIP phone", "cpe:/h:yealink:{slug}"),
    Row("server|title|realm", r"\byealink\b", "Yealink VoIP phone httpd", "VoIP phone"),
    Row("server", r"\bGrandstream (?P<model>[A-Z]{2,4}\d{2,4}\w{0,3})[ /](?P<version>\d+\.\d+\.\d+\.\d+)", "Grandstream {model} VoIP phone http config", "VoIP phone", "cpe:/h:grandstream:{slug}"),
    Row("server|title|realm", r"\bGrandstream (?P<model>[A-Z]{2,4}\d{2,4}\w{0,3})", "Grandstream {model} VoIP phone http config", "VoIP phone", "cpe:/h:grandstream:{slug}"),
    Row("server|title|realm", r"\bGrandstream\b", "Grandstream VoIP phone http config", "VoIP phone"),
    Row("title|server|realm", r"\bsnom ?(?P<model>D?\d{3})\b", "Snom {model} VoIP phone http config", "VoIP phone"),
    Row("server|title|realm", r"\bsnom\b", "Snom VoIP phone http config", "VoIP phone"),
    Row("server|title", r"\bPoly(?:com)? (?P<model>(?:SoundPoint IP|SoundStation IP|VVX|Trio|CCX|Edge \w)[ \w]{0,8})", "Polycom {model} VoIP phone http config", "VoIP phone"),
    Row("server|title|realm", r"\bPolycom\b|^Poly (?:Lens|VVX|Trio|CCX|Edge)", "Polycom VoIP phone http config", "VoIP phone"),
    Row("title", r"Cisco (?:Systems, Inc\. )?(?:Unified )?IP Phone,?\s?(?P<model>CP-\w{4,8})", "Cisco {model} VoIP phone http config", "VoIP phone"),
    Row("title", r"\b(?P<model>SPA\d{3}\w{0,2}) Configuration Utility|\bCisco IP Phone\b", "Cisco {model} VoIP phone http config", "VoIP phone"),
    Row("realm|title|server", r"\bFanvil (?P<model>\w{2,8})|^Fanvil\b", "Fanvil {model} VoIP phone http config", "VoIP phone"),
    Row("realm|title|server", r"\bAastra (?P<model>\w{3,8})|^Aastra\b|^Mitel (?P<model2>\d{4})\b", "Aastra {model} VoIP phone http config", "VoIP phone"),
    Row("title|server", r"\bGigaset (?P<model>[\w -]{2,12})", "Gigaset {model} VoIP phone http config", "VoIP phone"),
)  # fmt: skip

DEVICES: Final = (*PRINTERS, *CAMERAS, *STORES, *PHONES)
