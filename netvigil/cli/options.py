"""Options that many commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netvigil.probing.ports import Profile

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        envvar="NETVIGIL_DATA_DIR",
        show_envvar=True,
        file_okay=False,
        help="Keys, the embedded database, logs.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
ScanProfile = Annotated[
    Profile,
    typer.Option(
        "--profile",
        help="TCP ports to look at: the hundred or thousand most frequent and those of LAN devices, or all.",
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        metavar="ADDRESS",
        help="Send nothing to this address, CIDR or range 192.168.1.5-192.168.1.9; may be repeated.",
    ),
]
ExcludePort = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude-port",
        metavar="PORT",
        help="Send nothing to this port: 80, 8000-8010, tcp/80 or udp/161; may be repeated.",
    ),
]
Vantages = Annotated[
    list[str] | None,
    typer.Option(
        "--vantage",
        metavar="VANTAGE",
        help="Scan sites from here: local, netns:NAME, vrf:DEVICE, or any for all; may be repeated. "
        "Without it NETVIGIL_VANTAGES says, or all with the embedded database and local with another.",
    ),
]
ExcludeMac = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude-mac",
        metavar="MAC",
        help="Leave the device with this MAC address alone as soon as it is known; may be repeated.",
    ),
]
