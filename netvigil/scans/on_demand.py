"""Scans on demand: a few addresses of one site of a schedule, beside the schedule's own runs."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

from netvigil.errors import Invalid
from netvigil.scans.service import create_scan
from netvigil.sites.exclusions import Exclusions
from netvigil.sites.scope import covers, targets
from netvigil.sites.service import get_site

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.scans.models import Scan
    from netvigil.scans.states import Trigger
    from netvigil.schedules.models import ScanSchedule
    from netvigil.sites.models import Site

SHOWN_ADDRESSES = 100


async def start_on_demand(
    session: AsyncSession,
    schedule: ScanSchedule,
    trigger: Trigger,
    site_id: UUID,
    addresses: Mapping[IPv4Address, str],
    *,
    now: datetime,
) -> Scan:
    """Scan these addresses now, with the locked schedule's thresholds, profile and exclusions.

    Each address comes with the name of its place in the request. Raises Invalid for a site that the schedule does not
    scan, and for addresses outside its subnets there, excluded, or of no host. The site's scans still run one after
    the other; the schedule's own runs, its status and its last run are not touched.
    """
    subnets = [target.subnet for target in schedule.sites if target.site_id == site_id]
    if not subnets:
        sentence = f"The schedule does not scan the site '{site_id}'."
        raise _invalid("parameter_invalid", {"site_id": sentence})
    site = await get_site(session, schedule.organisation_id, site_id)
    exclusions = Exclusions.from_json(site.exclusions).merge(Exclusions.from_json(schedule.exclusions))
    around: dict[IPv4Address, IPv4Network] = {}
    for subnet in subnets:
        around |= {address: subnet for address in addresses if address in subnet}
    used = sorted(set(around.values()))
    _require_possible(addresses, around, exclusions, subnets)
    _require_allowed(addresses, around, used, site)
    wanted = {site_id: [IPv4Network(address) for address in addresses]}
    return await create_scan(session, schedule, trigger, wanted, now=now, around=used)


def _require_possible(
    addresses: Mapping[IPv4Address, str],
    around: Mapping[IPv4Address, IPv4Network],
    exclusions: Exclusions,
    subnets: list[IPv4Network],
) -> None:
    hosts: set[IPv4Address] = set()
    scanned: set[IPv4Address] = set()
    for subnet in set(around.values()):
        hosts.update(targets(subnet))
        scanned.update(targets(subnet, exclusions.networks))
    inside = ", ".join(map(str, subnets[:10])) + (", …" if len(subnets) > 10 else "")  # noqa: PLR2004 - to be read
    wrong: dict[str, str] = {}
    for address, field in addresses.items():
        if address not in around:
            wrong[field] = f"{address} lies outside the schedule's subnets of that site: {inside}."
        elif address not in hosts:
            wrong[field] = (
                f"{address} is the network or broadcast address of {around[address]}, not a host's."
            )
        elif address not in scanned:
            wrong[field] = f"{address} is excluded from scans by its site or schedule."
    if wrong:
        raise _invalid("parameter_invalid", wrong)


def _require_allowed(
    addresses: Mapping[IPv4Address, str],
    around: Mapping[IPv4Address, IPv4Network],
    used: list[IPv4Network],
    site: Site,
) -> None:
    """A person may have taken a network away since the schedule was written."""
    gone = {subnet for subnet in used if not covers(site.networks, subnet)}
    if gone:
        wrong = {
            field: f"{around[address]} is no longer among the site's networks; someone with sites:manage can add it."
            for address, field in addresses.items()
            if around[address] in gone
        }
        raise _invalid("subnet_out_of_scope", wrong)


def _invalid(code: str, wrong: Mapping[str, str]) -> Invalid:
    shown = dict(list(wrong.items())[:SHOWN_ADDRESSES])
    field, sentence = next(iter(shown.items()))
    message = f"The '{field}' parameter is invalid: {sentence[:1].lower() + sentence[1:]}"
    return Invalid(code, message, {field: [sentence] for field, sentence in shown.items()})
