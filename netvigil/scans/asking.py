"""What one run asks of its site: the probe's request, from the site scan, its site and the service's settings."""

from __future__ import annotations

from ipaddress import collapse_addresses
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from netvigil.errors import EnvironmentFault
from netvigil.inventory.models import Host, Service
from netvigil.probing.limits import ScanLimits
from netvigil.probing.ports import Profile
from netvigil.probing.request import ProbeRequest
from netvigil.probing.router.credentials import RouterAccess, RouterOsLogin, SnmpCommunity
from netvigil.probing.vantage import Vantage
from netvigil.scans.models import SiteScan
from netvigil.sites.exclusions import Exclusions
from netvigil.sites.models import Site
from netvigil.sites.router import RouterOsSecret, open_router

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from ipaddress import IPv4Address, IPv4Network
    from typing import Any

    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.scans.run import Run
    from netvigil.settings import Settings
    from netvigil.sites.router import RouterSecret

_ODD_PORTS = 512  # of a site, the most often seen first
_WITNESSES = 256  # of a site, over all of its networks
_LAST_SCANS = 10  # of a site, in which witnesses are looked for


async def build_request(
    session: AsyncSession, settings: Settings, run: Run
) -> tuple[ProbeRequest, tuple[str, ...]]:
    """The request, and the limitations that are known before a packet is sent."""
    site_scan = await session.get_one(SiteScan, run.site_scan_id)
    site = await session.get(Site, (run.organisation_id, run.site_id))
    router, limitations = _router_of(settings, site)
    exclusions = Exclusions.from_json(site_scan.exclusions)
    allowed = list(collapse_addresses(site.networks if site is not None else run.targets))
    request = ProbeRequest(
        targets=tuple(_around(run, site_scan.around, allowed)),
        only=frozenset(target.network_address for target in run.targets) if site_scan.around else None,
        witnesses=await list_witnesses(session, run, allowed) if site_scan.around else (),
        known=run.recorded,
        vantage=Vantage.parse(run.vantage),
        limits=limits_of(settings, site.limits if site is not None else {}),
        profile=Profile(site_scan.profile),
        extra_ports=await list_ports_seen(session, run),
        exclude=exclusions.networks,
        excluded_tcp=exclusions.tcp_ports,
        excluded_udp=exclusions.udp_ports,
        excluded_macs=exclusions.macs,
        router=router,
    )
    return request, limitations


def limits_of(settings: Settings, own: Mapping[str, Any]) -> ScanLimits:
    """The service's limits; a site's own packet rate holds for it whether or not a router is in between."""
    packets = own.get("packets_per_second")
    return ScanLimits(
        packets_per_second=packets or settings.max_rate,
        packets_per_second_on_link=packets or settings.max_rate_on_link,
        connections_per_second=own.get("connections_per_second") or settings.max_connections,
    )


async def list_ports_seen(session: AsyncSession, run: Run) -> tuple[int, ...]:
    """TCP ports that were ever open at the site: an odd one found once by a full scan is looked at by every later one."""
    seen = (
        select(Service.port)
        .join(Host, Host.id == Service.host_id)
        .where(
            Host.organisation_id == run.organisation_id,
            Host.site_id == run.site_id,
            Service.protocol == "tcp",
        )
        .group_by(Service.port)
        .order_by(func.count().desc(), Service.port)
        .limit(_ODD_PORTS)
    )
    return tuple(await session.scalars(seen))


async def list_witnesses(
    session: AsyncSession, run: Run, allowed: Sequence[IPv4Network]
) -> tuple[IPv4Address, ...]:
    """Allowed addresses that lived at the site's last scans, the latest first.

    They tell a silent address from a silent site.
    """
    last = (
        select(SiteScan.id)
        .where(SiteScan.organisation_id == run.organisation_id, SiteScan.site_id == run.site_id)
        .order_by(SiteScan.finished_at.desc().nulls_last())
        .limit(_LAST_SCANS)
    )
    seen = (
        select(Host.address)
        .where(Host.site_scan_id.in_(last))
        .group_by(Host.address)
        .order_by(func.max(Host.observed_at).desc())
        .limit(_WITNESSES)
    )
    found = await session.scalars(seen)
    return tuple(address for address in found if any(address in network for network in allowed))


def _around(run: Run, around: Sequence[IPv4Network], allowed: Sequence[IPv4Network]) -> Sequence[IPv4Network]:
    """The subnets that the targets lie in, but the target itself where a person has taken part of its subnet away."""
    if not around:
        return run.targets
    kept = [network for network in around if any(network.subnet_of(one) for one in allowed)]
    if len(kept) == len(around):
        return kept
    return [*kept, *(one for one in run.targets if not any(one.subnet_of(network) for network in kept))]


def _router_of(settings: Settings, site: Site | None) -> tuple[RouterAccess | None, tuple[str, ...]]:
    if site is None:
        return None, ()
    try:
        secret = open_router(settings, site)
    except EnvironmentFault as fault:
        return None, (f"The site's router was not asked for MAC addresses and names. {fault}",)
    return (_access(secret), ()) if secret is not None else (None, ())


def _access(secret: RouterSecret) -> RouterAccess:
    login = secret.login
    if isinstance(login, RouterOsSecret):
        return RouterAccess(
            secret.address, RouterOsLogin(login.username, login.password, login.port, login.tls)
        )
    return RouterAccess(secret.address, SnmpCommunity(login.community, login.port))
