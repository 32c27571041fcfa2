"""Read the ARP and DHCP tables of a site's own router, whichever way the site's credentials allow."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from netvigil.errors import ProbeFault
from netvigil.probing.router.credentials import RouterOsLogin
from netvigil.probing.router.routeros_api import read_by_api
from netvigil.probing.router.snmp import read_by_snmp
from netvigil.probing.router.tables import RouterTables

if TYPE_CHECKING:
    from netvigil.probing.router.credentials import RouterAccess
    from netvigil.probing.vantage import Sockets

__all__ = ["RouterTables", "read_router"]

TIME: Final = 20.0  # seconds, for everything together


async def read_router(sockets: Sockets, access: RouterAccess, *, within: float = TIME) -> RouterTables:
    """What the router knows of the hosts around it; it is only read. Raises ProbeFault, whose text holds no secret."""
    try:
        async with asyncio.timeout(within):
            if isinstance(access.login, RouterOsLogin):
                return await read_by_api(sockets, access.address, access.login)
            return await read_by_snmp(sockets, access.address, access.login)
    except TimeoutError:
        raise ProbeFault(
            f"The router {access.address} did not finish answering within {within:g} seconds."
        ) from None
