"""From a word in `truth.json` (`speaks`) to the greeter that plays it, with the versions the truth names."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from netvigil.lab import banner, routeros, stores
from netvigil.lab.http import Website, website

if TYPE_CHECKING:
    from collections.abc import Callable

    from netvigil.lab.conversation import Greeter
    from netvigil.lab.truth import LabHost, LabService

_CAMERA_PAGE = (
    "<html><head><title>IPCamera Login</title></head><body><form>User <input></form></body></html>\n"
)
_LOGIN_PAGE = (
    "<html><head><title>Login to Webmin</title></head><body><h1>Login to Webmin</h1></body></html>\n"
)
_WELCOME_PAGE = "<html><head><title>Welcome</title></head><body><h1>It works!</h1></body></html>\n"
_HP_SERVER = "HP HTTP Server; HP LaserJet 400 M401dn - CF278A; Serial Number: LABPRINT01; Built:Tue Apr 26, 2016 {{20160426}}"


def greeter_for(host: LabHost, service: LabService) -> Greeter:
    """The greeter of one service of a device; KeyError when `truth.json` names one that does not exist."""
    return _GREETERS[service.speaks](host, service)


def _ros(host: LabHost) -> tuple[str, str]:
    if host.software is None:
        raise ValueError(f"{host.name} is to speak RouterOS but the truth names no software")
    return host.software.version, host.software.channel


def _html(*headers: str, page: str, http: str | None = "1.1", status: HTTPStatus = HTTPStatus.OK) -> Greeter:
    return website(Website(headers=headers, pages={"/": page}, http=http, status=status))


def _apache(_: LabHost, service: LabService) -> Greeter:
    server = f"Server: Apache/{service.version} (Unix)"
    return _html(
        "Date: {date}", server, "Content-Length: {length}", "Connection: close", "Content-Type: text/html",
        page=_WELCOME_PAGE,
    )  # fmt: skip


def _nginx(_: LabHost, service: LabService) -> Greeter:
    return _html(
        f"Server: nginx/{service.version}", "Date: {date}", "Content-Type: text/html", "Content-Length: {length}",
        "Connection: close", page=_WELCOME_PAGE,
    )  # fmt: skip


def _lighttpd(_: LabHost, service: LabService) -> Greeter:
    return _html(
        "Content-Type: text/html", "Content-Length: {length}", "Connection: close", "Date: {date}",
        f"Server: lighttpd/{service.version}", page=_WELCOME_PAGE, http=None,
    )  # fmt: skip


def _boa(_: LabHost, service: LabService) -> Greeter:
    return _html(
        "Date: {date}", f"Server: Boa/{service.version}", "Connection: close", "Content-Type: text/html",
        page=_CAMERA_PAGE, http="1.0",
    )  # fmt: skip


def _webmin(_: LabHost, service: LabService) -> Greeter:
    return _html(
        "Date: {date}", f"Server: MiniServ/{service.version}", "Connection: close",
        "Content-type: text/html; Charset=UTF-8", page=_LOGIN_PAGE, http="1.0",
    )  # fmt: skip


def _hikvision_web(_: LabHost, __: LabService) -> Greeter:
    return _html(
        "Date: {date}", "Server: App-webs/", "Content-Length: {length}", "Content-Type: text/html",
        "Connection: close", page="<!DOCTYPE html><html><head><title></title></head></html>\n", http="1.0",
    )  # fmt: skip


def _hp_web(_: LabHost, __: LabService) -> Greeter:
    return _html(
        "Cache-Control: no-cache", f"Server: {_HP_SERVER}", "Content-Type: text/html", "Content-Length: {length}",
        "Connection: close", page="<html><head><title>HP LaserJet 400 M401dn</title></head></html>\n",
        status=HTTPStatus.UNAUTHORIZED,
    )  # fmt: skip


def _exim(host: LabHost, service: LabService) -> Greeter:
    name = f"{host.name}.lan"
    return banner.smtp(
        lambda: f"220 {name} ESMTP Exim {service.version} {format_datetime(datetime.now(UTC))}", name
    )


_HIKVISION_RTSP = b"RTSP/1.0 200 OK\r\nPublic: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, PAUSE\r\n\r\n"

_GREETERS: dict[str, Callable[[LabHost, LabService], Greeter]] = {
    "routeros-ftp": lambda h, s: banner.ftp(
        f"220 {h.name} FTP server (MikroTik {s.version}) ready", "221 Closing"
    ),
    "routeros-ssh": lambda _h, _s: banner.ssh("ROSSSH"),
    "routeros-telnet": lambda h, _s: routeros.telnet(*_ros(h)),
    "routeros-web": lambda h, _s: routeros.web(_ros(h)[0]),
    "routeros-winbox": lambda h, _s: routeros.winbox(_ros(h)[0]),
    "routeros-api": lambda _h, _s: routeros.api,
    "openssh": lambda _h, s: banner.ssh(f"OpenSSH_{s.version}"),
    "dropbear": lambda _h, s: banner.ssh(f"dropbear_{s.version}"),
    "vsftpd": lambda _h, s: banner.ftp(f"220 (vsFTPd {s.version})"),
    "proftpd": lambda h, s: banner.ftp(
        f"220 ProFTPD {s.version} Server (ProFTPD Default Installation) [{h.ip}]"
    ),
    "exim": _exim,
    "apache": _apache,
    "nginx": _nginx,
    "lighttpd": _lighttpd,
    "boa": _boa,
    "webmin": _webmin,
    "hikvision-web": _hikvision_web,
    "hp-web": _hp_web,
    "hikvision-rtsp": lambda _h, _s: banner.rtsp(_HIKVISION_RTSP),
    "hipcam-rtsp": lambda _h, s: banner.rtsp(
        f"RTSP/1.0 400 Bad Request\r\nCSeq: 0\r\nServer: Hipcam RealServer/V{s.version}\r\n\r\n".encode()
    ),
    "dnsmasq": lambda _h, s: stores.dns(f"dnsmasq-{s.version}"),
    "redis": lambda _h, s: stores.redis(s.version or ""),
    "mysql": lambda _h, s: stores.mysql(s.version or ""),
    "lpd": lambda _h, _s: banner.refuse_print_job,
    "print-port": lambda _h, _s: banner.print_port,
    "silence": lambda _h, _s: banner.silence,
}
