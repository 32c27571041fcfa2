"""Our own webhook: a signed JSON body, sent to the address that was checked and to no other."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import socket
import time
from importlib.metadata import version
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Any

import httpx
import orjson

from netvigil.notify.targets import ForbiddenTarget, Network, check_address

if TYPE_CHECKING:
    from collections.abc import Sequence

SIGNATURE = "X-Netvigil-Signature"
SCHEMA = "netvigil.news/1"
TIMEOUT_SECONDS = 15.0


class NotDelivered(Exception):
    """The receiver did not take the message; the text says why and holds no secret."""


def sign(body: bytes, secret: str, at: int) -> str:
    """`t=<Unix seconds>,v1=<hex>`: HMAC-SHA-256 (RFC 2104) with the secret over time, a full stop and the body."""
    digest = hmac.new(secret.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


async def post(
    url: str,
    content: dict[str, Any],
    secret: str,
    *,
    allowed: Sequence[Network],
    seconds: float = TIMEOUT_SECONDS,
) -> None:
    """Send one webhook; raises ForbiddenTarget, and NotDelivered unless the answer is 2xx.

    The host is resolved once, and what is connected to is the address that was checked, whatever the name says a
    moment later. Redirects are not followed, and proxies of the environment not used: both would go unchecked.
    """
    body = orjson.dumps(content)
    target = httpx.URL(url)
    address = await _resolve(target, allowed)
    headers = {
        "Host": target.netloc.decode(),
        "Content-Type": "application/json",
        "User-Agent": f"netvigil/{version('netvigil')}",
        "X-Netvigil-Delivery": str(content["id"]),
        "X-Netvigil-Event": str(content["event"]),
        SIGNATURE: sign(body, secret, int(time.time())),
    }
    extensions = {"sni_hostname": target.host} if target.scheme == "https" else {}
    # certificates of a private authority count (SSL_CERT_FILE), though nothing else of the environment does
    verify = httpx.create_ssl_context() if target.scheme == "https" else False
    client = httpx.AsyncClient(verify=verify, trust_env=False, follow_redirects=False, timeout=seconds)
    try:
        async with asyncio.timeout(seconds), client:
            place = target.copy_with(host=address)
            request = client.build_request(
                "POST", place, content=body, headers=headers, extensions=extensions
            )
            answer = await client.send(request, stream=True)  # whatever it says is not read
            await answer.aclose()
    except TimeoutError:
        raise NotDelivered(f"The receiver did not answer within {seconds:.0f} seconds.") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NotDelivered(_why(error)) from None
    if answer.is_redirect:
        raise NotDelivered(f"The receiver answered {answer.status_code}, a redirect, which is not followed.")
    if not answer.is_success:
        raise NotDelivered(f"The receiver answered {answer.status_code}.")


async def _resolve(target: httpx.URL, allowed: Sequence[Network]) -> str:
    port = target.port or (443 if target.scheme == "https" else 80)
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(target.host, port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError):
        raise NotDelivered("The receiver's host name could not be resolved.") from None
    refused: ForbiddenTarget | None = None
    for *_, place in found:
        text = str(place[0])
        try:
            check_address(text, allowed)
        except ForbiddenTarget as error:
            refused = error
            continue
        address = ip_address(text)
        return f"[{address}]" if isinstance(address, IPv6Address) else text
    raise refused or NotDelivered("The receiver's host name has no address.")


def _why(error: Exception) -> str:
    match error:
        case httpx.ConnectTimeout() | httpx.ReadTimeout() | httpx.WriteTimeout():
            return "The receiver did not answer in time."
        case httpx.ConnectError() if "CERTIFICATE" in str(error) or "certificate" in str(error):
            return "The receiver's certificate does not hold for its name."
        case httpx.ConnectError():
            return "The receiver could not be connected to."
        case _:
            return f"The receiver broke the connection ({type(error).__name__})."
