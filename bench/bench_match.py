"""How long does matching distinct product versions take, and how does it grow? bench_match.py [FOLDER]

Imports `FOLDER/nvd` (default: ../shared/data) into a scratch database, takes one version of each of 10,000 products that
the data names, and matches 1,250 to 10,000 of them, then 10,000 on 1, 5 and 25 hosts each. The limit is 5 s on one core.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from netvigil.catalogue.encoding import PackedConfigurations
from netvigil.catalogue.importer import import_paths
from netvigil.catalogue.models import CvePart
from netvigil.catalogue.service import match_inventories
from netvigil.db.embedded import EmbeddedServer
from netvigil.db.migrate import migrate
from netvigil.db.session import sqlalchemy_url
from netvigil.matching.cpe import parse_cpe
from netvigil.matching.products import Confidence, Product

PRODUCTS = 10_000


async def some_products(session: AsyncSession) -> list[Product]:
    """One version of each of PRODUCTS products, the same ones every time."""
    versions: dict[tuple[str, str, str], str] = {}
    rows = await session.stream(select(CvePart.configurations).where(CvePart.configurations.is_not(None)))
    async for (data,) in rows:
        for name, criterion in PackedConfigurations(data).vulnerable():
            if criterion[1][0].isdigit():
                versions.setdefault(name, criterion[1])
    names = sorted(versions)
    random.Random(7).shuffle(names)
    cpes = [parse_cpe(f"cpe:2.3:{':'.join(name)}:{versions[name]}") for name in names[:PRODUCTS]]
    return [Product(cpe, Confidence.EXACT, "seen in a benchmark", 80, "tcp") for cpe in cpes]


async def timed(session: AsyncSession, inventories: list[list[Product]]) -> tuple[float, float, int]:
    """Seconds by the clock and on our core, and the number of matches."""
    clock, core = time.perf_counter(), time.process_time()
    found = await match_inventories(session, inventories)
    return time.perf_counter() - clock, time.process_time() - core, sum(map(len, found))


async def measure(folder: Path) -> None:
    """Import, match, print."""
    scratch = Path(tempfile.mkdtemp(prefix="nvbench"))
    try:
        async with EmbeddedServer(scratch) as server:
            await migrate(server.url)
            await import_paths(server.url, [folder / "nvd"])
            engine = create_async_engine(sqlalchemy_url(server.url))
            async with AsyncSession(engine) as session:
                products = await some_products(session)
                for count in (PRODUCTS // 8, PRODUCTS // 4, PRODUCTS // 2, PRODUCTS):
                    clock, core, found = await timed(session, [[product] for product in products[:count]])
                    print(f"{count} products: {clock:.2f} s ({core:.2f} s CPU), {found} matches")
                for hosts in (1, 5, 25):
                    inventories = [[product] for product in products for _ in range(hosts)]
                    clock, core, found = await timed(session, inventories)
                    print(f"{PRODUCTS} products on {hosts} host(s) each: {clock:.2f} s ({core:.2f} s CPU)")
            await engine.dispose()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def main() -> None:
    """Measure and print."""
    asyncio.run(measure(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("../shared/data")))


if __name__ == "__main__":
    main()
