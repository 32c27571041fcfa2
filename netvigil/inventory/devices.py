"""Devices: whom the hosts of a scan are, and where each was when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import text
from sqlalchemy.orm.attributes import set_committed_value

from netvigil.inventory.identity import Sight, identify_by_mac

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.inventory.models import Host

_SEEN = """
WITH seen AS MATERIALIZED (
  SELECT * FROM jsonb_to_recordset(CAST(:seen AS jsonb)) AS (
    host_id uuid, organisation_id uuid, site_id uuid, scan_id uuid, address inet, mac text, manufacturer text, hostname text,
    os_name text, model text, observed_at timestamptz))
"""

# Known by its address so far, and now it shows its MAC: the same device, unless that MAC is a device already, or two claim it.
_UPGRADE = text(
    _SEEN  # noqa: S608 - both parts are ours
    + """, named AS (
  SELECT DISTINCT ON (d.id) d.id, s.mac
  FROM (SELECT DISTINCT ON (mac) * FROM seen WHERE mac IS NOT NULL ORDER BY mac, observed_at DESC) s
  JOIN device d ON d.organisation_id = s.organisation_id AND d.mac IS NULL AND d.site_id = s.site_id
                   AND d.address = s.address
  WHERE NOT EXISTS (SELECT FROM device k WHERE k.organisation_id = s.organisation_id AND k.mac = s.mac)
  ORDER BY d.id)
UPDATE device d SET mac = n.mac, address = NULL FROM named n WHERE n.id = d.id RETURNING d.id, d.mac"""
)

_DEVICES = {
    "mac": (
        "s.mac IS NOT NULL",
        "s.mac",
        "d.mac = s.mac",
        "(organisation_id, mac) WHERE mac IS NOT NULL",
    ),
    "address": (
        "s.mac IS NULL",
        "s.site_id, s.address",
        "d.mac IS NULL AND d.site_id = s.site_id AND d.address = s.address",
        "(organisation_id, site_id, address) WHERE mac IS NULL",
    ),
}
# The newest sight tells where it is and what it is; what that did not see is kept. An older one only moves the beginning.
_UPSERT = (
    _SEEN
    + """
INSERT INTO device AS d (organisation_id, site_id, mac, address, manufacturer, hostname, os_name, model, scan_id,
                         first_seen_at, last_seen_at)
SELECT DISTINCT ON ({who}) s.organisation_id, s.site_id, s.mac, CASE WHEN s.mac IS NULL THEN s.address END, s.manufacturer,
       s.hostname, s.os_name, s.model, s.scan_id, min(s.observed_at) OVER (PARTITION BY {who}), s.observed_at
FROM seen s WHERE {kind} ORDER BY {who}, s.observed_at DESC, s.address
ON CONFLICT {unique} DO UPDATE SET
  first_seen_at = least(d.first_seen_at, excluded.first_seen_at),
  last_seen_at = greatest(d.last_seen_at, excluded.last_seen_at),
  site_id = CASE WHEN excluded.last_seen_at >= d.last_seen_at THEN excluded.site_id ELSE d.site_id END,
  scan_id = CASE WHEN excluded.last_seen_at >= d.last_seen_at THEN excluded.scan_id ELSE d.scan_id END,
  manufacturer = CASE WHEN excluded.last_seen_at >= d.last_seen_at
                      THEN coalesce(excluded.manufacturer, d.manufacturer)
                      ELSE coalesce(d.manufacturer, excluded.manufacturer) END,
  hostname = CASE WHEN excluded.last_seen_at >= d.last_seen_at THEN coalesce(excluded.hostname, d.hostname)
                  ELSE coalesce(d.hostname, excluded.hostname) END,
  os_name = CASE WHEN excluded.last_seen_at >= d.last_seen_at THEN coalesce(excluded.os_name, d.os_name)
                 ELSE coalesce(d.os_name, excluded.os_name) END,
  model = CASE WHEN excluded.last_seen_at >= d.last_seen_at THEN coalesce(excluded.model, d.model)
               ELSE coalesce(d.model, excluded.model) END"""
)
_NAME_HOSTS = (
    _SEEN
    + """
UPDATE host h SET device_id = d.id FROM seen s JOIN device d ON d.organisation_id = s.organisation_id AND {same}
WHERE h.id = s.host_id AND {kind} RETURNING h.id, h.device_id"""
)
_ADDRESSES = text(
    _SEEN
    + """
INSERT INTO device_address AS a (device_id, site_id, address, first_seen_at, last_seen_at)
SELECT h.device_id, s.site_id, s.address, min(s.observed_at), max(s.observed_at)
FROM seen s JOIN host h ON h.id = s.host_id GROUP BY 1, 2, 3
ON CONFLICT (device_id, site_id, address) DO UPDATE SET
  first_seen_at = least(a.first_seen_at, excluded.first_seen_at),
  last_seen_at = greatest(a.last_seen_at, excluded.last_seen_at)"""
)


async def record_devices(session: AsyncSession, hosts: Sequence[Host]) -> list[UUID]:
    """Bring the devices up to date with the identified hosts of one scan, and name each host's device.

    A host that is not identified, because the scan was cut off before, is nobody yet. Done twice it gives the same.
    Returns the devices that were known by an address and now have a MAC; whoever keeps something under a device's name
    must follow. The caller holds the organisation's lock: two scans that see a new device at once would make two of it.
    """
    seen = [host for host in hosts if host.identified]
    if not seen:
        return []
    identity = identify_by_mac(_sights(seen))
    rows = {"seen": orjson.dumps([_row(host, identity[host.id]) for host in seen]).decode()}
    upgraded = [row.id for row in await session.execute(_UPGRADE, rows)]
    devices: dict[UUID, UUID] = {}
    for kind, who, same, unique in _DEVICES.values():
        await session.execute(text(_UPSERT.format(kind=kind, who=who, unique=unique)), rows)
        named = await session.execute(text(_NAME_HOSTS.format(kind=kind, same=same)), rows)
        devices |= {row.id: row.device_id for row in named}
    await session.execute(_ADDRESSES, rows)
    for host in seen:  # the rows have it already
        set_committed_value(host, "device_id", devices[host.id])
    return upgraded


def _sights(hosts: Iterable[Host]) -> Iterable[Sight]:
    for host in hosts:
        services = sorted(
            (one.protocol, one.port, one.product or "", one.version or "") for one in host.services
        )
        yield Sight(
            host.id,
            host.site_id,
            host.address,
            host.mac,
            (host.hostname, host.model, host.os_name, *services),
        )


def _row(host: Host, mac: str | None) -> dict[str, Any]:
    return {
        "host_id": host.id,
        "organisation_id": host.organisation_id,
        "site_id": host.site_id,
        "scan_id": host.scan_id,
        "address": str(host.address),
        "mac": mac,
        "manufacturer": host.manufacturer,
        "hostname": host.hostname,
        "os_name": host.os_name,
        "model": host.model,
        "observed_at": host.observed_at,
    }
