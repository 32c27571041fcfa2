"""Probing the built-in lab, side by side with nmap's own version scan of the same addresses and ports, in one run.

Prints seconds of both, their ratio, and whether every port of the ground truth was found.
"""

import asyncio
import time
from ipaddress import IPv4Network
from xml.etree import ElementTree as ET

from netvigil.lab.service import Lab
from netvigil.probing.pipeline import ProbeRequest, probe


async def main():
    async with Lab.start("127.91.0.0/28") as lab:
        truth = {(host["ip"], one["port"]) for host in lab.truth()["hosts"] for one in host["services"]}
        addresses = sorted({address for address, _ in truth})
        ports = ",".join(str(port) for port in sorted({port for _, port in truth}))

        started = time.monotonic()
        result = await probe(ProbeRequest(targets=[IPv4Network(lab.subnet)]))
        ours = time.monotonic() - started
        found = {(str(host.address), one.port) for host in result.hosts for one in host.services}

        started = time.monotonic()
        command = ["nmap", "-n", "-Pn", "-sV", "-T4", "-p", ports, "-oX", "-", *addresses]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        text, _ = await process.communicate()
        nmaps = time.monotonic() - started
        theirs = {
            (host.find("address").get("addr"), int(port.get("portid")))
            for host in ET.fromstring(text).iter("host")  # noqa: S314 - nmap's own document
            for port in host.iter("port")
            if port.find("state").get("state") == "open"
        }
    print(f"{len(addresses)} hosts, {len(truth)} open ports")
    print(f"netvigil: {ours:6.1f} s, {len(found & truth)} of them; sweeps {result.ports} ports a host first")
    print(
        f"nmap -sV: {nmaps:6.1f} s, {len(theirs & truth)} of them; was told these {ports.count(',') + 1} ports"
    )
    print(f"ratio nmap / netvigil: {nmaps / ours:.1f}")


if __name__ == "__main__":
    asyncio.run(main())
