"""How long does importing feeds take, against reading and parsing the same files with orjson? bench_import.py [FOLDER] [SHARE…]

Imports `FOLDER/nvd` (default: ../shared/data) into a scratch database, and then the same again: nothing may change. With
shares (0.25 0.5 1) the same for parts of the files, which shows how the time grows. Prints the ratio to the floor, peak
memory of the import's processes, and the size on disk.
"""

from __future__ import annotations

import asyncio
import gzip
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

import orjson
import psycopg
import zstandard

from netvigil.catalogue.feeds.detect import UnknownFeed, recognise
from netvigil.catalogue.importer import import_paths
from netvigil.db.embedded import EmbeddedServer
from netvigil.db.migrate import migrate
from netvigil.db.session import libpq_url

LIMIT_RATIO, LIMIT_MEMORY_MB, LIMIT_DISK_MB = 2.0, 1000, 1500


def read_whole(path: Path) -> bytes:
    """The decompressed file."""
    raw = path.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        return gzip.decompress(raw)
    if raw[:4] == b"\x28\xb5\x2f\xfd":
        return zstandard.ZstdDecompressor().stream_reader(raw).read()
    return raw


def parse_with_orjson(paths: list[Path]) -> float:
    """The floor: seconds to read and parse the files on one core."""
    start = time.perf_counter()
    for path in paths:
        text = read_whole(path)
        try:
            orjson.loads(text)
        except orjson.JSONDecodeError:
            for line in text.split(b"\n"):
                if line:
                    orjson.loads(line)
    return time.perf_counter() - start


def feed_files(folder: Path) -> list[Path]:
    """The files of a folder that are feeds, smallest share first by name."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            try:
                recognise(path)
            except UnknownFeed:
                continue
            found.append(path)
    return found


async def measure(paths: list[Path]) -> tuple[float, float, int, int]:
    """Seconds for a fresh import and for the same again, the CVEs, and the megabytes on disk."""
    folder = Path(tempfile.mkdtemp(prefix="nvbench"))
    try:
        async with EmbeddedServer(folder) as server:
            await migrate(server.url)
            times = []
            for _ in range(2):
                start = time.perf_counter()
                await import_paths(server.url, paths)
                times.append(time.perf_counter() - start)
            with psycopg.connect(libpq_url(server.url)) as connection:
                row = connection.execute(
                    "SELECT (SELECT count(*) FROM cve), pg_database_size(current_database()) >> 20"
                ).fetchone()
        cves, size = row or (0, 0)
        return times[0], times[1], cves, size
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Measure and print."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("../shared/data")
    files = feed_files(folder / "nvd")
    for share in [float(text) for text in sys.argv[2:]] or [1.0]:
        some = files[:: max(1, round(1 / share))]
        floor = parse_with_orjson(some)
        seconds, again, cves, disk = asyncio.run(measure(some))
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        workers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        rate = seconds / max(cves, 1) * 1e6
        print(
            f"{len(some)} files, {cves} CVEs: floor {floor:.1f} s, import {seconds:.1f} s "
            f"= {seconds / floor:.2f}x (limit {LIMIT_RATIO}), {rate:.0f} us a CVE, again {again:.1f} s; "
            f"memory {own:.0f} MB (the bench's floor included) + {workers:.0f} MB the largest worker "
            f"(limit {LIMIT_MEMORY_MB}), disk {disk} MB (limit {LIMIT_DISK_MB})"
        )


if __name__ == "__main__":
    main()
