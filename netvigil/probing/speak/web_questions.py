"""PURE: second requests that tell the version of a device which its first page has named: what its own page asks anyway."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_VERSION: Final = r"(?P<version>\d[\w.+-]{1,40})"


class Question(NamedTuple):
    """A request, and where its answer has what we want: groups as in `web_rows.Row`. `body` and its `kind` make it a POST."""

    path: str
    says: tuple[re.Pattern[str], ...]
    body: str = ""
    kind: str = ""


def _question(path: str, *says: str, body: str = "", kind: str = "application/json") -> Question:
    return Question(path, tuple(re.compile(pattern) for pattern in says), body, kind if body else "")


QUESTIONS: Final = {
    # WebFig's list of its own files, which its page loads before anybody logs in.
    "webfig": _question("/webfig/list", r"version:\s{0,3}\"(?P<version>\d{1,2}\.\d{1,3}(?:\.\d{1,3})?(?:(?:alpha|beta|rc)\d{1,3})?)\""),
    "samsung": _question("/api/v2/", r"\"modelName\"\s{0,3}:\s{0,3}\"(?P<model>[\w -]{2,30})\""),
    # iLO: what HPE's own tools read to find it.
    "ilo": _question(
        "/xmldata?item=All",
        r"<FWRI>(?P<version>[\d.]{2,12})</FWRI>",
        r"<PN>[^<(]{0,60}\((?P<model>iLO \d)\)</PN>",
        r"<PN>Integrated Lights-Out (?P<model>\d)\b",
    ),
    # The login page of iDRAC 8 and 9 shows what this says.
    "idrac": _question("/sysmgmt/2015/bmc/info", r"\"FwVer\"\s{0,3}:\s{0,3}\"(?P<version>[\d.]{3,20})\"", r"\"iDRACName\"\s{0,3}:\s{0,3}\"(?P<name>[\w.-]{1,63})\""),
    # vSphere's first call, before any login (RetrieveServiceContent of the VIM API).
    "esxi": _question(
        "/sdk/",
        r"<version>(?P<version>\d+\.\d+\.\d+)</version>",
        r"<build>(?P<build>\d{3,12})</build>",
        body=(
            '<?xml version="1.0" encoding="UTF-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">'
            '<soap:Body><RetrieveServiceContent xmlns="urn:internalvim25"><_this type="ServiceInstance">ServiceInstance</_this>'
            "</RetrieveServiceContent></soap:Body></soap:Envelope>"
        ),
        kind="text/xml",
    ),
    # VAPIX: properties that Axis shows to anyone.
    "axis": _question(
        "/axis-cgi/basicdeviceinfo.cgi",
        r"\"Version\"\s{0,3}:\s{0,3}\"(?P<version>\d[\d.]{1,20})\"",
        r"\"ProdNbr\"\s{0,3}:\s{0,3}\"(?P<model>[\w -]{2,30})\"",
        r"\"SerialNumber\"\s{0,3}:\s{0,3}\"(?P<mac>[0-9A-Fa-f]{12})\"",
        body='{"apiVersion":"1.0","method":"getAllUnrestrictedProperties"}',
    ),
    # The login page of QTS loads this to show model and version; no name or password is sent.
    "qnap": _question(
        "/cgi-bin/authLogin.cgi",
        r"<version>(?:<!\[CDATA\[)?(?P<version>\d[\d.]{2,12})",
        r"<displayModelName>(?:<!\[CDATA\[)?(?P<model>[\w +-]{2,30})",
        r"<hostname>(?:<!\[CDATA\[)?(?P<name>[\w-]{1,63})",
        r"<build>(?:<!\[CDATA\[)?(?P<build>\d{6,10})",
    ),
    "fritz": _question(
        "/jason_boxinfo.xml",
        r"<j:Version>\d{1,3}\.0?(?P<version>\d{1,2}\.\d{2})[\d.-]{0,12}</j:Version>",
        r"<j:Name>(?P<model>FRITZ![\w ()!.-]{2,40})</j:Name>",
    ),
    "unifi": _question("/status", r"\"server_version\"\s{0,3}:\s{0,3}\"(?P<version>\d[\d.]{2,15})\""),
    "grafana": _question("/api/health", r"\"version\"\s{0,3}:\s{0,3}\"" + _VERSION + '"'),
    "prometheus": _question("/api/v1/status/buildinfo", r"\"version\"\s{0,3}:\s{0,3}\"" + _VERSION + '"'),
    "zabbix": _question(
        "api_jsonrpc.php",
        r"\"result\"\s{0,3}:\s{0,3}\"" + _VERSION + '"',
        body='{"jsonrpc":"2.0","method":"apiinfo.version","params":[],"id":1}',
        kind="application/json-rpc",
    ),
    "plex": _question("/identity", r"<MediaContainer\b[^>]{0,400}\bversion=\"(?P<version>\d[\d.]{3,20})"),
    "jellyfin": _question("/System/Info/Public", r"\"Version\"\s{0,3}:\s{0,3}\"(?P<version>\d[\d.]{2,15})\"", r"\"ServerName\"\s{0,3}:\s{0,3}\"(?P<name>[\w-]{1,63})\""),
    "nextcloud": _question("status.php", r"\"versionstring\"\s{0,3}:\s{0,3}\"(?P<version>\d[\d.]{2,12})"),
    "portainer": _question("/api/status", r"\"Version\"\s{0,3}:\s{0,3}\"(?P<version>\d[\d.]{2,12})"),
}  # fmt: skip

# Where a port's own purpose is known and its first page says nothing: the client's first request there.
PATHS: Final = {2375: "/version", 8001: "/api/v2/"}
