"""Which names mean the same software: vendors are bought and renamed, and nmap has names of its own.

The reviewed table is `data/aliases.json`. `products` holds groups of `part:vendor:product` names, each with its reason:
`names` are NVD's (the first is the one to prefer), `also` those of nmap and others. `vendors` holds vendor names that
are one company under whatever product. Add a group there; nothing here needs to change.
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from typing import Final, TypeAlias

Name: TypeAlias = tuple[str, str, str]  # part, vendor, product

_TABLE: Final = "data/aliases.json"


@lru_cache(maxsize=1 << 14)
def equivalents(part: str, vendor: str, product: str) -> tuple[Name, ...]:
    """Every name of the software that this name means, itself first; just itself when the table knows no other."""
    name = (part, vendor, product)
    groups, vendors = _table()
    group = groups.get(name, ())
    others = [other for other in group if other != name]
    others += [(part, twin, product) for twin in vendors.get(vendor, ()) if twin != vendor]
    return (name, *dict.fromkeys(others))


def preferred(part: str, vendor: str, product: str) -> Name:
    """The name that NVD uses most for the software meant; the given one when the table does not know it."""
    groups, _ = _table()
    name = (part, vendor, product)
    return groups.get(name, (name,))[0]


@lru_cache(maxsize=1)
def _table() -> tuple[dict[Name, tuple[Name, ...]], dict[str, tuple[str, ...]]]:
    source = files("netvigil.matching").joinpath(_TABLE)
    table = json.loads(source.read_text(encoding="utf-8"))
    groups: dict[Name, tuple[Name, ...]] = {}
    for entry in table["products"]:
        names = tuple(_name(text) for text in (*entry["names"], *entry.get("also", ())))
        groups.update(dict.fromkeys(names, names))
    vendors: dict[str, tuple[str, ...]] = {}
    for entry in table["vendors"]:
        twins = tuple(entry["vendors"])
        vendors.update(dict.fromkeys(twins, twins))
    return groups, vendors


def _name(text: str) -> Name:
    part, vendor, product = text.split(":")
    return part, vendor, product
