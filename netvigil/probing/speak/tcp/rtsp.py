"""RTSP (RFC 2326): OPTIONS for the Server header; where there is none, DESCRIBE, whose refusal names a realm. Nothing is played."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from netvigil.probing.speak.protocol import TcpProtocol
from netvigil.probing.speak.tcp.wording import MAX_BANNER, Wording, answer_from, says, words_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netvigil.probing.speak.answer import Answer
    from netvigil.probing.speak.line import Line

_CAMERA: Final = "webcam"
_SERVERS: Final = (
    Wording("Dahua IP camera rtspd", says(r"^Dahua Rtsp Server"), None, None, _CAMERA),
    Wording("Hikvision DVR rtspd", says(r"^Hikvision"), None, None, _CAMERA),
    Wording("Hipcam RealServer rtspd", says(r"^Hipcam RealServer/V?{v}"), None, None, _CAMERA),
    Wording("H264DVR rtspd", says(r"^H264DVR {v}"), None, None, "storage-misc"),
    Wording("Axis rtspd", says(r"^AXIS\b[^\n]{0,60}"), None, None, _CAMERA, whole=False),
    Wording(
        "GStreamer rtspd",
        says(r"^GStreamer RTSP server(?:/| )?(?:{v})?"),
        "a:gstreamer_project:gst-rtsp-server",
    ),
    Wording(
        "Live555 Streaming Server rtspd",
        says(r"\bLIVE555 (?:Streaming Media|Media Server)(?: v?(?P<version>[\d.]{1,20}))?"),
    ),
    Wording("Apple AirTunes rtspd", says(r"^AirTunes/{v}"), "a:apple:airtunes"),
    Wording("Darwin Streaming Server", says(r"^DSS/{v}"), "a:apple:darwin_streaming_server"),
    Wording("Apple QuickTime Streaming Server", says(r"^QTSS/{v}"), "a:apple:quicktime_streaming_server"),
    Wording("VLC rtspd", says(r"^VLC/{v}"), "a:videolan:vlc_media_player"),
    Wording("VideoLAN", says(r"^VLC Server {v}"), "a:videolan:vlc_media_player"),
    Wording(
        "Wowza Streaming Engine rtspd",
        says(r"^Wowza Streaming Engine {v}(?: build(?P<extra>\d{1,12}))?"),
        "a:wowza:streaming_engine",
    ),
    Wording("Wowza Media Server rtspd", says(r"^Wowza Media Server {v}"), "a:wowza:wowza_media_server"),
    Wording(
        "Microsoft Windows Media Services",
        says(r"^WMServer/{v}"),
        "a:microsoft:windows_media_services",
        "Windows",
    ),
    Wording("Helix Server", says(r"^Helix [\w ]{0,40}Version {v}")),
    Wording("UBNT Streaming Server rtspd", says(r"^UBNT Streaming Server v?{v}"), None, None, _CAMERA),
    Wording("Reolink rtspd", says(r"^Reolink\b"), None, None, _CAMERA),
)
# Of the realm in a refusal: makers put model or serial there.
_REALMS: Final = (
    Wording("Dahua IP camera rtspd", says(r"^Login to (?P<serial>[\w-]{4,30})$"), None, None, _CAMERA),
    Wording(
        "Hikvision DVR rtspd",
        says(r"^(?:Hikvision|IP Camera\(\w{1,20}\)|Embedded Net DVR|(?P<model>DS-\d[\w-]{2,30}))"),
        None,
        None,
        _CAMERA,
    ),
    Wording("Axis rtspd", says(r"^AXIS_[0-9A-F]{12}$"), None, None, _CAMERA),
    Wording("Reolink rtspd", says(r"^BC Streaming Media$"), None, None, _CAMERA),
    Wording("TP-LINK IP camera rtspd", says(r"^TP-?LINK IP-?Camera"), None, None, _CAMERA),
    Wording("Foscam rtspd", says(r"^Foscam IPCam"), None, None, _CAMERA),
    Wording("Samsung rtspd", says(r"^iPolis$"), None, None, _CAMERA),
    Wording("Sony rtspd", says(r"^Sony Network Camera(?: (?P<model>[\w-]{2,20}))?"), None, None, _CAMERA),
    Wording("D-Link rtspd", says(r"^(?P<model>DCS-\d{3,4}\w{0,3})$"), None, None, _CAMERA),
)
# Its older firmware lists its methods so, and leaves the CSeq out, which the standard asks for.
_HIKVISIONS_METHODS: Final = "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, PAUSE"
_STATUS: Final = re.compile(r"RTSP/1\.\d (\d{3})")
_REALM: Final = re.compile(r'realm="([^"\n]{0,200})"', re.IGNORECASE)
_NAMED: Final = re.compile(
    r"([A-Za-z][\w .()-]{1,60}?)(?:/| [vV]?(?=\d))[vV]?(\d[\w.+~-]{0,40})(?=$|[\s(;,])"
)
_MAC_REALM: Final = re.compile(r"AXIS_([0-9A-F]{12})", re.IGNORECASE)
_MAX_HEADERS: Final = 40
_MOST: Final = 16 * 1024
_SECOND_WAIT: Final = 1.0  # for DESCRIBE: who answered OPTIONS has shown how fast it is


class Response(NamedTuple):
    """The head of a response: status and the headers, names in lower case; a header that comes again is joined on."""

    status: int
    headers: Mapping[str, str]


def recognise(data: bytes) -> bool:
    """Whether an answer to anything is RTSP's."""
    return re.match(rb"RTSP/1\.\d \d{3}", data) is not None


async def converse(line: Line, heard: bytes) -> Answer | None:
    """OPTIONS; DESCRIBE where that names nobody."""
    where = f"rtsp://{line.address}:{line.port}/".encode()
    speaking, second = line, None
    if heard:
        second = await line.again()
        if second is None:
            return parse(heard)
        speaking = second
    try:
        options = await _ask(speaking, b"OPTIONS", where, 1, line.patience)
        answer = parse(options) or parse(heard)
        if answer is not None and answer.product is None:
            answer = parse(options or heard, await _ask(speaking, b"DESCRIBE", where, 2, _SECOND_WAIT))
        return answer
    finally:
        if second is not None:
            second.close()


async def _ask(line: Line, method: bytes, where: bytes, number: int, wait: float) -> bytes:
    accept = b"Accept: application/sdp\r\n" if method == b"DESCRIBE" else b""
    if not await line.send(b"%s %s RTSP/1.0\r\nCSeq: %d\r\n%s\r\n" % (method, where, number, accept)):
        return b""
    head = await line.read_until(b"\r\n\r\n", wait, _MOST)
    response = parse_response(head)
    length = response.headers.get("content-length", "") if response is not None else ""
    if length.isascii() and length.isdigit() and 0 < len(length.lstrip("0")) < 6:  # noqa: PLR2004 - digits
        await line.read(wait, min(int(length), _MOST))  # out of the way of the next response
    return head


def parse_response(data: bytes) -> Response | None:
    """A response's head; None when it is none."""
    lines = words_of(data).split("\n")
    status = _STATUS.match(lines[0])
    if status is None:
        return None
    headers: dict[str, str] = {}
    for line in lines[1 : _MAX_HEADERS + 1]:
        if not line.strip():
            break
        name, colon, value = line.partition(":")
        if colon:
            key = name.strip().lower()
            headers[key] = f"{headers[key]}, {value.strip()}" if key in headers else value.strip()
    return Response(int(status[1]), headers)


def parse(options: bytes, description: bytes = b"") -> Answer | None:
    """What the answers to OPTIONS and DESCRIBE say."""
    first = parse_response(options)
    if first is None:
        return None
    second = parse_response(description)
    server = first.headers.get("server") or (second.headers.get("server") if second else None) or ""
    refusal = (second or first).headers.get("www-authenticate", "")
    realms = [realm.strip() for realm in _REALM.findall(refusal) if realm.strip(" /")]
    facts = {
        "server": server[:200],
        "methods": first.headers.get("public", "")[:200],
        "realm": realms[0] if realms else "",
        "access": _access(second),
    }
    facts = {key: value for key, value in facts.items() if value}
    banner = options.partition(b"\r\n\r\n")[0]
    if second is not None:
        banner += b"\r\n\r\n" + description.partition(b"\r\n\r\n")[0]
    answer = answer_from("rtsp", banner[:MAX_BANNER], server, _SERVERS, facts=facts)
    for realm in realms:
        by_realm = answer_from("rtsp", answer.banner, realm, _REALMS, facts=facts)
        if by_realm.product is not None and (answer.product is None or not answer.complete):
            answer = by_realm
    if answer.product is None and server:
        answer = _named(answer, server)
    if answer.product is None and dict(first.headers) == {"public": _HIKVISIONS_METHODS}:
        answer = replace(answer, product="Hikvision DVR rtspd", complete=True)
    if mac := _MAC_REALM.search(" ".join(realms)):
        digits = mac[1].upper()
        answer = replace(answer, mac=":".join(digits[at : at + 2] for at in range(0, 12, 2)))
    return answer


def _access(second: Response | None) -> str:
    if second is None:
        return ""
    return {200: "open", 401: "password"}.get(second.status, "")


def _named(answer: Answer, server: str) -> Answer:
    """A Server header that is in no table, as name and version where it is written so."""
    if found := _NAMED.match(server):
        return replace(answer, product=found[1].strip(), version=found[2].rstrip(".-"), complete=True)
    return replace(answer, product=server.strip()[:80])


PROTOCOL = TcpProtocol("rtsp", frozenset({554, 8554, 10554}), converse, recognises=recognise)
