"""Products that services name in their own words (headers, greetings, titles): one table, one row per program."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_TEXT: Final = 4096
_MAX_REPEATS: Final = 8

_VERSION: Final = r"v?(\d[\w.+~-]{0,60}(?: (?:Debian|Ubuntu|Raspbian|FreeBSD)-[\w.+~]{1,40})?)"


class Software(NamedTuple):
    """How a program calls itself (a regular expression that the version follows), and NVD's name for it."""

    says: str
    vendor: str
    product: str


class Mention(NamedTuple):
    """A program named in a text, with the version as it stands there."""

    vendor: str
    product: str
    version: str
    words: str


# Longer names first where one begins with another. Names are NVD's preferred ones (see aliases).
SOFTWARE: Final = (
    Software(r"OpenSSH_(?:for_Windows_)?", "openbsd", "openssh"),
    Software(r"dropbear_", "dropbear_ssh_project", "dropbear_ssh"),
    Software(r"Apache Tomcat/", "apache", "tomcat"),
    Software(r"Apache/", "apache", "http_server"),
    Software(r"IBM_HTTP_Server/", "ibm", "http_server"),
    Software(r"openresty/", "openresty", "openresty"),
    Software(r"nginx/", "f5", "nginx"),
    Software(r"lighttpd/", "lighttpd", "lighttpd"),
    Software(r"Microsoft-IIS/", "microsoft", "internet_information_services"),
    Software(r"PHP/", "php", "php"),
    Software(r"OpenSSL/", "openssl", "openssl"),
    Software(r"mod_ssl/", "modssl", "mod_ssl"),
    Software(r"mod_perl/", "apache", "mod_perl"),
    Software(r"mod_jk/", "apache", "mod_jk"),
    Software(r"mod_python/", "apache", "mod_python"),
    Software(r"mod_wsgi/", "modwsgi", "mod_wsgi"),
    Software(r"mod_fcgid/", "apache", "mod_fcgid"),
    Software(r"mod_nss/", "mod_nss_project", "mod_nss"),
    Software(r"mod_auth_openidc/", "openidc", "mod_auth_openidc"),
    Software(r"SVN/", "apache", "subversion"),
    Software(r"Phusion[ _]Passenger[ /]", "phusion", "passenger"),
    Software(r"Perl/", "perl", "perl"),
    Software(r"Ruby/", "ruby-lang", "ruby"),
    Software(r"WEBrick/", "ruby-lang", "webrick"),
    Software(r"Python/", "python", "python"),
    Software(r"Werkzeug/", "palletsprojects", "werkzeug"),
    Software(r"gunicorn/", "gunicorn", "gunicorn"),
    Software(r"TornadoServer/", "tornadoweb", "tornado"),
    Software(r"TwistedWeb/", "twisted", "twisted"),
    Software(r"aiohttp/", "aiohttp", "aiohttp"),
    Software(r"waitress/", "agendaless", "waitress"),
    Software(r"Zope/\(?(?:Zope )?", "zope", "zope"),
    Software(r"Resin/", "caucho", "resin"),
    Software(r"GlassFish Server Open Source Edition {1,3}", "oracle", "glassfish_server"),
    Software(r"WebSphere Application Server/", "ibm", "websphere_application_server"),
    Software(r"WebLogic Server ", "oracle", "weblogic_server"),
    Software(r"Jetty\(", "eclipse", "jetty"),
    Software(r"squid/", "squid-cache", "squid"),
    Software(r"CUPS[/ ]", "openprinting", "cups"),
    Software(r"MiniServ/", "webmin", "webmin"),
    Software(r"Boa/", "boa", "boa"),
    Software(r"thttpd/", "acme", "thttpd"),
    Software(r"mini_httpd/", "acme", "mini_httpd"),
    Software(r"micro_httpd/", "acme", "micro_httpd"),
    Software(r"GoAhead-(?:http|Webs|WebServer)/", "embedthis", "goahead"),
    Software(r"(?:Embedthis-|Mbedthis-)?Appweb/", "embedthis", "appweb"),
    Software(r"(?:Allegro-Software-|Allegro )?RomPager[/ ]", "allegrosoft", "rompager"),
    Software(r"uc-httpd/? ?", "xiongmaitech", "uc-httpd"),
    Software(r"MiniUPnPd/", "miniupnp_project", "miniupnpd"),
    Software(r"(?:MiniDLNA|ReadyMedia)/", "readymedia_project", "readymedia"),
    Software(r"Portable SDK for UPnP devices/", "libupnp_project", "libupnp"),
    Software(r"gSOAP/", "genivia", "gsoap"),
    Software(r"Mongoose/", "cesanta", "mongoose"),
    Software(r"Cherokee/", "cherokee-project", "cherokee"),
    Software(r"Monkey/", "monkey-project", "monkey"),
    Software(r"Hiawatha v?", "hiawatha-webserver", "hiawatha"),
    Software(r"Yaws[ /]", "yaws", "yaws"),
    Software(r"Icecast ", "icecast", "icecast"),
    Software(r"h2o/", "dena", "h2o"),
    Software(r"nghttpx? nghttp2/", "nghttp2", "nghttp2"),
    Software(r"Caddy/v?", "caddyserver", "caddy"),
    Software(r"traefik/v?", "traefik", "traefik"),
    Software(r"CouchDB/", "apache", "couchdb"),
    Software(r"X-Influxdb-Version: v?", "influxdata", "influxdb"),
    Software(r"kbn-version: ", "elastic", "kibana"),
    Software(r"X-Jenkins: ", "jenkins", "jenkins"),
    Software(r"Docker/", "docker", "docker"),
    Software(r"PRTG/", "paessler", "prtg_network_monitor"),
    Software(r"vsFTPd ", "vsftpd_project", "vsftpd"),
    Software(r"ProFTPD ", "proftpd", "proftpd"),
    Software(r"FileZilla Server (?:version )?", "filezilla-project", "filezilla_server"),
    Software(r"Serv-U FTP Server ", "solarwinds", "serv-u"),
    Software(r"ESMTP Exim ", "exim", "exim"),
    Software(r"ESMTP Sendmail ", "sendmail", "sendmail"),
    Software(r"OpenSMTPD ", "opensmtpd", "opensmtpd"),
    Software(r"mosquitto version ", "eclipse", "mosquitto"),
    Software(r"dnsmasq-", "thekelleys", "dnsmasq"),
    Software(r"unbound ", "nlnetlabs", "unbound"),
    Software(r"redis_version:", "redis", "redis"),
    Software(r"Samba ", "samba", "samba"),
    Software(r"BusyBox ", "busybox", "busybox"),
    Software(r"Asterisk(?: PBX)? ", "sangoma", "asterisk"),
    Software(r"Tasmota/", "tasmota_project", "tasmota"),
    Software(r"WordPress ", "wordpress", "wordpress"),
    Software(r"Joomla! ", "joomla", r"joomla\!"),
    Software(r"Drupal ", "drupal", "drupal"),
    Software(r"MediaWiki ", "mediawiki", "mediawiki"),
    Software(r"TYPO3(?: CMS)? ", "typo3", "typo3"),
    Software(r"phpMyAdmin ", "phpmyadmin", "phpmyadmin"),
    Software(r"Zabbix ", "zabbix", "zabbix"),
)
_COMPILED: Final = tuple(
    (row, re.compile(rf"(?<![\w/]){row.says}{_VERSION}", re.IGNORECASE)) for row in SOFTWARE
)
_BODY_PARTS: Final = re.compile(
    r"<title>([^<]{0,200})</title>|<meta[^>]{0,100}name=[\"']?generator[\"']?[^>]{0,100}content=[\"']([^\"'>]{0,200})",
    re.IGNORECASE,
)


def find_software(text: str) -> Iterator[Mention]:
    """Every program of the table that a text names with a version, in the table's order."""
    text = telling_part(text)
    for row, pattern in _COMPILED:
        found = pattern.search(text)
        if found is None:
            continue
        for again in islice(pattern.finditer(text, found.end()), _MAX_REPEATS):
            # CUPS/2.4 in the header is CUPS 2.4.2 in the title
            if again[1].startswith(f"{found[1]}."):
                found = again
        yield Mention(row.vendor, row.product, found[1], line_around(text, found.start()))


def telling_part(text: str) -> str:
    """Of a web answer the head, title and generator: what a page says in its text proves nothing."""
    text = text[:MAX_TEXT]
    if not text.startswith("HTTP/"):
        return text
    head, gap, body = text.partition("\r\n\r\n")
    if not gap:
        head, _, body = text.partition("\n\n")
    parts = [found[1] or found[2] or "" for found in _BODY_PARTS.finditer(body)]
    return "\n".join([head, *parts])


def line_around(text: str, at: int) -> str:
    """The line of a text that holds a place, for evidence; at most 200 characters of ASCII."""
    start = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at)
    line = text[max(start, at - 100) : end if end >= 0 else len(text)]
    return "".join(char if " " <= char <= "~" else " " for char in line).strip()[:200]
