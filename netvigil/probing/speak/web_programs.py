"""PURE: web servers by their `Server` header and applications by their pages: one row each, nmap's wording, NVD's names."""

from __future__ import annotations

from typing import Final, NamedTuple

from netvigil.probing.speak.web_rows import Row


class Server(NamedTuple):
    """A program as nmap words it; `cpe` (vendor:product) gets the version that the header shows."""

    product: str
    cpe: str = ""
    info: str = ""
    system: str = ""


# By the name before the `/` in lower case.
SERVERS: Final = {
    "apache": Server("Apache httpd", "apache:http_server"),
    "apache-coyote": Server("Apache Tomcat/Coyote JSP engine"),
    "nginx": Server("nginx", "f5:nginx"),
    "openresty": Server("OpenResty web app server", "openresty:openresty"),
    "tengine": Server("Tengine httpd"),
    "lighttpd": Server("lighttpd", "lighttpd:lighttpd"),
    "microsoft-iis": Server(
        "Microsoft IIS httpd", "microsoft:internet_information_services", system="Windows"
    ),
    "microsoft-httpapi": Server("Microsoft HTTPAPI httpd", info="SSDP/UPnP", system="Windows"),
    "kestrel": Server("Microsoft Kestrel httpd"),
    "jetty": Server("Jetty", "eclipse:jetty"),
    "miniserv": Server("MiniServ", "webmin:webmin", "Webmin httpd"),
    "goahead-http": Server("GoAhead WebServer", "embedthis:goahead"),
    "goahead-webs": Server("GoAhead WebServer", "embedthis:goahead"),
    "goahead-webserver": Server("GoAhead WebServer", "embedthis:goahead"),
    "embedthis-appweb": Server("Embedthis-Appweb", "embedthis:appweb"),
    "mbedthis-appweb": Server("Mbedthis-Appweb", "embedthis:appweb"),
    "appweb": Server("Appweb embedded httpd", "embedthis:appweb"),
    "boa": Server("Boa HTTPd", "boa:boa"),
    "thttpd": Server("thttpd", "acme:thttpd"),
    "mini_httpd": Server("mini_httpd", "acme:mini_httpd"),
    "micro_httpd": Server("micro_httpd", "acme:micro_httpd"),
    "rompager": Server("Allegro RomPager", "allegrosoft:rompager"),
    "allegro-software-rompager": Server("Allegro RomPager", "allegrosoft:rompager"),
    "uc-httpd": Server("uc-httpd", "xiongmaitech:uc-httpd"),
    "debut": Server("Debut embedded httpd", info="Brother/HP printer http admin"),
    "virata-emweb": Server("Virata-EmWeb"),
    "agranat-emweb": Server("Agranat-EmWeb"),
    "cups": Server("CUPS", "openprinting:cups"),
    "squid": Server("Squid http proxy", "squid-cache:squid"),
    "varnish": Server("Varnish http accelerator", "varnish_cache_project:varnish_cache"),
    "caddy": Server("Caddy httpd", "caddyserver:caddy"),
    "traefik": Server("Traefik reverse proxy", "traefik:traefik"),
    "litespeed": Server("LiteSpeed httpd", "litespeedtech:litespeed_web_server"),
    "openlitespeed": Server("LiteSpeed httpd", "litespeedtech:openlitespeed"),
    "cherokee": Server("Cherokee httpd", "cherokee-project:cherokee"),
    "hiawatha": Server("Hiawatha httpd", "hiawatha-webserver:hiawatha"),
    "monkey": Server("Monkey httpd", "monkey-project:monkey"),
    "mongoose": Server("Mongoose httpd", "cesanta:mongoose"),
    "yaws": Server("Yaws httpd", "yaws:yaws"),
    "gsoap": Server("gSOAP", "genivia:gsoap"),
    "gunicorn": Server("Gunicorn", "gunicorn:gunicorn"),
    "uvicorn": Server("Uvicorn"),
    "waitress": Server("Waitress wsgiserver", "agendaless:waitress"),
    "werkzeug": Server("Werkzeug httpd", "palletsprojects:werkzeug"),
    "tornadoserver": Server("Tornado httpd", "tornadoweb:tornado"),
    "twistedweb": Server("TwistedWeb httpd", "twisted:twisted"),
    "cherrypy": Server("CherryPy wsgiserver"),
    "aiohttp": Server("aiohttp", "aiohttp:aiohttp"),
    "simplehttp": Server("SimpleHTTPServer"),
    "basehttp": Server("BaseHTTPServer"),
    "wsgiserver": Server("WSGIServer"),
    "zope": Server("Zope httpd", "zope:zope"),
    "webrick": Server("WEBrick httpd", "ruby-lang:webrick"),
    "phusion passenger": Server("Phusion Passenger"),
    "resin": Server("Caucho Resin httpd", "caucho:resin"),
    "icecast": Server("Icecast streaming media server", "icecast:icecast"),
    "couchdb": Server("CouchDB httpd", "apache:couchdb"),
    "influxdb": Server("InfluxDB http admin", "influxdata:influxdb"),
    "docker": Server("Docker", "docker:docker"),
    "prtg": Server("Paessler PRTG bandwidth monitor", "paessler:prtg_network_monitor"),
    "tasmota": Server("Tasmota"),
    "splunkd": Server("Splunkd httpd"),
    "ibm_http_server": Server("IBM HTTP Server", "ibm:http_server"),
    "minio": Server("MinIO"),
    "bluecoat-security-appliance": Server("Blue Coat http proxy"),
    "vegur": Server("Vegur"),
    "micro-httpd": Server("micro_httpd", "acme:micro_httpd"),
}
# Names that say nothing, and comments on a language or library; none of them is the product.
NAMELESS: Final = frozenset(
    {
        "webserver", "web-server", "web server", "httpd", "http", "https", "server", "web", "embedded", "http server", "http-server",
        "httpserver", "router", "router webserver", "upnp", "linux", "unix", "windows", "posix", "unspecified", "unknown", "none",
        "embedthis-http", "app-webs", "wsgi", "cloudflare", "nas", "dvr", "camera", "device", "ipcamera", "null", "apache tomcat",
    }
)  # fmt: skip

# Applications that are the product on their port, whatever serves them.
APPLICATIONS: Final = (
    Row("title|body", r"^Apache Tomcat/(?P<version>\d[\w.-]{1,20})|<h3>Apache Tomcat/(?P<version2>\d[\w.-]{1,20})</h3>", "Apache Tomcat", cpe="cpe:/a:apache:tomcat:{version}"),
    Row("title", r"^Login to Usermin", "MiniServ", cpe="cpe:/a:webmin:usermin", info="Usermin httpd"),
    Row("headers", r"^x-jenkins: (?P<version>[\d.]{2,20})", "Jenkins httpd", cpe="cpe:/a:jenkins:jenkins:{version}"),
    Row("title|headers", r"^Sign in · GitLab|^GitLab$|^x-gitlab-meta:", "GitLab", cpe="cpe:/a:gitlab:gitlab"),
    Row("title", r"^Grafana$", "Grafana http", cpe="cpe:/a:grafana:grafana:{version}", ask="grafana"),
    Row("headers", r"^location: (?:/grafana)?/login$(?=[\s\S]{0,2000}redirect_to)", "Grafana http", cpe="cpe:/a:grafana:grafana:{version}", ask="grafana"),
    Row("title", r"^Prometheus Time Series Collection|^Prometheus$", "Prometheus", cpe="cpe:/a:prometheus:prometheus:{version}", ask="prometheus"),
    Row("title", r"\bZabbix(?: (?P<version>\d+\.\d+\.\d+))?$|^Zabbix\b", "Zabbix", cpe="cpe:/a:zabbix:zabbix:{version}", ask="zabbix"),
    Row("title", r"^Home Assistant$", "Home Assistant", cpe="cpe:/a:home-assistant:home-assistant"),
    Row("title", r"^Tasmota\b|- Tasmota$", "Tasmota", "specialized"),
    Row("title", r"^Kibana$|^Elastic$", "Elasticsearch Kibana", cpe="cpe:/a:elastic:kibana"),
    Row("headers", r"^kbn-version: (?P<version>[\d.]{3,12})", "Elasticsearch Kibana", cpe="cpe:/a:elastic:kibana:{version}"),
    Row("body", r"\"number\"\s{0,3}:\s{0,3}\"(?P<version>\d[\w.-]{2,20})\"[\s\S]{0,800}You Know, for Search", "Elasticsearch REST API", cpe="cpe:/a:elastic:elasticsearch:{version}"),
    Row("body", r"\"couchdb\"\s{0,3}:\s{0,3}\"Welcome\"[^{}]{0,200}\"version\"\s{0,3}:\s{0,3}\"(?P<version>\d[\w.-]{2,20})\"", "CouchDB httpd", cpe="cpe:/a:apache:couchdb:{version}"),
    Row("headers", r"^x-influxdb-version: v?(?P<version>\d[\w.-]{2,20})", "InfluxDB http admin", cpe="cpe:/a:influxdata:influxdb:{version}"),
    Row("headers", r"^x-plex-protocol:", "Plex Media Server httpd", "media device", "cpe:/a:plex:media_server:{version}", ask="plex"),
    Row("title", r"^Jellyfin$", "Jellyfin", cpe="cpe:/a:jellyfin:jellyfin:{version}", ask="jellyfin"),
    Row("title", r"^Emby$", "Emby", cpe="cpe:/a:emby:emby.releases:{version}", ask="jellyfin"),
    Row("title", r"(?:^|\W)Nextcloud$", "Nextcloud", cpe="cpe:/a:nextcloud:nextcloud_server:{version}", ask="nextcloud"),
    Row("title", r"^Portainer$", "Portainer Docker UI", cpe="cpe:/a:portainer:portainer:{version}", ask="portainer"),
    Row("headers", r"^x-pi-hole:", "Pi-hole http admin", cpe="cpe:/a:pi-hole:pi-hole"),
    Row("title", r"^OctoPrint\b", "OctoPrint", cpe="cpe:/a:octoprint:octoprint"),
    Row("title", r"^Node-RED\b", "Node-RED", cpe="cpe:/a:nodered:node-red"),
    Row("title", r"^openHAB\b", "openHAB", cpe="cpe:/a:openhab:openhab"),
    Row("title", r"^Domoticz\b", "Domoticz", cpe="cpe:/a:domoticz:domoticz"),
    Row("title", r"^AdGuard Home|^Login - AdGuard", "AdGuard Home"),
    Row("title", r"^Netdata\b|netdata dashboard", "Netdata", cpe="cpe:/a:netdata:netdata"),
    Row("title", r"^RabbitMQ Management", "RabbitMQ Management httpd", cpe="cpe:/a:vmware:rabbitmq"),
    Row("title", r"\bphpMyAdmin(?: (?P<version>\d+\.\d+\.\d+))?", "phpMyAdmin", cpe="cpe:/a:phpmyadmin:phpmyadmin:{version}"),
    Row("server", r"(?:DLNADOC/(?P<dlna>[\d.]{1,6}) )?UPnP/(?P<upnp>[\d.]{1,6}) MiniDLNA/(?P<version>\d[\w.]{0,12})", "MiniDLNA", "", "cpe:/a:readymedia_project:readymedia:{version}", info="DLNADOC {dlna}; UPnP {upnp}"),
    Row("server", r"^Sonos/|\bSonos/(?P<version>[\d.-]{3,16})", "Sonos upnp", "media device"),
    Row("server", r"^Roku(?: UPnP/1\.0)?/?(?P<version>[\d.]{0,10})", "Roku http interface", "media device"),
    Row("server", r"^SHP, UPnP/1\.[01], Samsung UPnP SDK/(?P<sdk>[\d.]{1,6})", "Samsung TV upnpd", "media device", info="Samsung UPnP SDK {sdk}"),
    Row("body", r"\"type\"\s{0,3}:\s{0,3}\"Samsung SmartTV\"", "Samsung TV httpd", "media device", ask="samsung"),
    Row("body", r"\"Version\"\s{0,3}:\s{0,3}\"(?P<version>\d[\w.+~-]{1,40})\",\s{0,3}\"ApiVersion\"", "Docker", cpe="cpe:/a:docker:docker:{version}"),
)  # fmt: skip

# Programs that run beside the server: they add their names, and are the product only where nothing else is.
BESIDES: Final = (
    Row("generator", r"^WordPress (?P<version>\d[\w.]{1,12})", "WordPress", cpe="cpe:/a:wordpress:wordpress:{version}"),
    Row("generator", r"^Joomla!? ?(?P<version>\d[\w.]{1,12})?", "Joomla!", cpe="cpe:/a:joomla:joomla%21:{version}"),
    Row("generator", r"^Drupal (?P<version>\d[\w.]{0,12})", "Drupal", cpe="cpe:/a:drupal:drupal:{version}"),
    Row("generator", r"^MediaWiki (?P<version>\d[\w.]{1,12})", "MediaWiki", cpe="cpe:/a:mediawiki:mediawiki:{version}"),
    Row("generator", r"^TYPO3 ?(?:CMS)? ?(?P<version>\d+\.\d+[\d.]{0,8})?", "TYPO3", cpe="cpe:/a:typo3:typo3:{version}"),
    Row("generator", r"^DokuWiki", "DokuWiki", cpe="cpe:/a:dokuwiki:dokuwiki"),
    Row("headers", r"^x-powered-by: Express$", "Node.js Express framework"),
)  # fmt: skip
