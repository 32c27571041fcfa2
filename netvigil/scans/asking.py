"""What one run asks of its site: the probe's request, from the site scan, its site and the service's settings."""

from __future__ import annotations

from ipaddress import IPv4Network
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
    from collections.abc import Mapping
    from typing import Any

    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.scans.run import Run
    from netvigil.settings import Settings
    from netvigil.sites.router import RouterSecret

_ODD_PORTS = 512  # of a site, the most often seen first


async def build_request(
    session: AsyncSession, settings: Settings, run: Run
) -> tuple[ProbeRequest, tuple[str, ...]]:
    """The request, and the limitations that are known before a packet is sent."""
    site_scan = await session.get_one(SiteScan, run.site_scan_id)
    site = await session.get(Site, (run.organisation_id, run.site_id))
    router, limitations = _router_of(settings, site)
    exclusions = Exclusions.from_json(site_scan.exclusions)
    request = ProbeRequest(
        targets=tuple(IPv4Network(network) for network in run.targets),
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
