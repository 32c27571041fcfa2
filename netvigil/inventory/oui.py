"""Who made a device, by the first half of its MAC address (IEEE's MA-L list, as the package aiooui carries it)."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from threading import Lock

import aiooui

from netvigil.errors import Invalid
from netvigil.inventory.mac import is_local, is_multicast, parse_mac

# Holders of a block that are no manufacturer: IEEE itself where it sold the block on in parts (MA-M and MA-S, which
# the list does not name), and companies that paid to stay unnamed.
_NO_MANUFACTURER = frozenset({"IEEE Registration Authority", "Private"})

# Xerox owns the block, but this is what a device without an address of its own shows.
_ALL_ZERO = "00:00:00:00:00:00"

_loading = Lock()


def find_manufacturer(mac: str) -> str | None:
    """Return the registered name of the manufacturer, as IEEE's list spells it, or None where nobody can know.

    None also for what is no MAC address, for groups and for addresses chosen locally. The first call maps the list
    into memory (some 10 ms); later ones cost microseconds. Any thread may call it.
    """
    try:
        normal = parse_mac(mac)
    except Invalid:
        return None
    if normal == _ALL_ZERO or is_local(normal) or is_multicast(normal):
        return None
    return _registered(normal[:8])


@lru_cache(maxsize=4096)
def _registered(prefix: str) -> str | None:
    _load()
    name = aiooui.get_vendor(prefix)
    # The list has no-break and zero-width spaces in it, which would make one maker two in a table.
    name = " ".join((name or "").replace("\u200b", "").split())
    return None if name in _NO_MANUFACTURER else name or None


def _load() -> None:
    # aiooui loads only as a coroutine. Its file could be read directly, but the layout is its own affair and has
    # changed before; so the coroutine runs in a short-lived thread, as this one may be running an event loop.
    with _loading:
        if not aiooui.is_loaded():
            with ThreadPoolExecutor(max_workers=1, thread_name_prefix="oui") as pool:
                pool.submit(asyncio.run, aiooui.async_load()).result()
