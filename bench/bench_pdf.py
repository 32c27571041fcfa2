"""Reports as PDF: seconds, memory of the child and pages, by number of hosts and findings.

    python bench/bench_pdf.py [findings …]

The child's memory is the highest of /proc/<pid>/status (VmHWM), read while it runs; `loop` is the longest that the
event loop was held meanwhile.
"""

from __future__ import annotations

import asyncio
import io
import sys
import time
from pathlib import Path

import orjson
import pypdf

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "reports"))
from pdf_samples import make_report

from netvigil.reports.pdf.render import render

KIB = 1024


def child_memory() -> int:
    """MiB at most so far, of the newest child that runs; 0 when there is none."""
    children = Path("/proc/self/task").glob("*/children")
    highest = 0
    for pid in " ".join(path.read_text() for path in children).split():
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        line = next((one for one in status.splitlines() if one.startswith("VmHWM")), "VmHWM: 0 kB")
        highest = max(highest, int(line.split()[1]) // KIB)
    return highest


async def measure(name: str, **shape: int) -> None:
    report = orjson.dumps(make_report(**shape))
    peak, held, last = 0, 0.0, time.perf_counter()

    async def watch() -> None:
        nonlocal peak, held, last
        while True:
            last = time.perf_counter()
            await asyncio.sleep(0.005)
            held = max(held, time.perf_counter() - last - 0.005)
            peak = max(peak, child_memory())

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0.05)
    began = time.perf_counter()
    pdf = await render(report)
    seconds = time.perf_counter() - began
    watching.cancel()
    pages = len(pypdf.PdfReader(io.BytesIO(pdf)).pages)
    print(
        f"{name:<34} {seconds:6.2f} s {peak:5} MiB  loop {held * 1000:4.0f} ms  {pages:4} pages "
        f"{len(pdf) // KIB:6} KiB  report {len(report) // KIB:6} KiB"
    )


async def main() -> None:
    wanted = [int(word) for word in sys.argv[1:]]
    if wanted:
        for number in wanted:
            await measure(f"{number} findings", hosts=max(number // 20, 1), findings=number, cves=number)
        return
    await measure("small: 12 hosts, 20 findings", hosts=12, findings=20)
    await measure("5,000 findings, 400 CVEs", hosts=250, findings=5000, cves=400)
    await measure("5,000 findings, 5,000 CVEs", hosts=200, findings=5000, cves=5000)
    await measure("20,000 findings, 50 sites", sites=50, hosts=1000, findings=20_000, cves=600)


if __name__ == "__main__":
    asyncio.run(main())
