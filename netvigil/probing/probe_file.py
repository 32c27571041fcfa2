"""A copy of nmap's probe file with shorter waits and a port more, made from the installed one for the time of a scan."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = "nmap-service-probes"
# nmap waits 6 s for a greeting and 5 s for each answer, in turn. It is only given ports where we have already waited
# for a greeting, and for answers longer than this.
_GREETING_MS = 400
_ANSWER_MS = 1500
# WinBox is told by its answer to Oracle's greeting, which nmap tries there only at its highest intensities.
_MORE_PORTS = {"oracle-tns": "8291"}
_PROBE = re.compile(r"^(Probe (?:TCP|UDP) (\S+) .*)$", re.MULTILINE)
_OLD_WAIT = re.compile(r"^totalwaitms \d+\n", re.MULTILINE)


@contextmanager
def quick_probe_file() -> Iterator[Path | None]:
    """The path of such a copy, removed afterwards; None where nmap's own file is not found (nmap then takes it)."""
    original = find_probe_file()
    if original is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="netvigil-") as folder:
        path = Path(folder) / _NAME
        # Byte for byte otherwise: the file holds patterns in no particular encoding.
        path.write_text(adapt_probes(original.read_text("latin-1")), "latin-1")
        yield path


def adapt_probes(text: str) -> str:
    """The probe file with our waits in place of its own, and with our ports (nmap's manual, vscan-fileformat)."""

    def add_wait(match: re.Match[str]) -> str:
        wait = _GREETING_MS if match[2] == "NULL" else _ANSWER_MS
        return f"{match[1]}\ntotalwaitms {wait}"

    text = _PROBE.sub(add_wait, _OLD_WAIT.sub("", text))
    for name, ports in _MORE_PORTS.items():
        text = re.sub(
            rf"^(Probe TCP {name} [^\n]*\n(?:totalwaitms [^\n]*\n|rarity [^\n]*\n)*ports )",
            rf"\g<1>{ports},",
            text,
            flags=re.MULTILINE,
        )
    return text


def find_probe_file() -> Path | None:
    """The installed nmap's own probe file, None where it cannot be found."""
    program = shutil.which("nmap")
    folders = [Path(os.environ["NMAPDIR"])] if "NMAPDIR" in os.environ else []
    if program is not None:
        folders.append(Path(program).resolve().parent.parent / "share" / "nmap")
    folders += [Path("/usr/share/nmap"), Path("/usr/local/share/nmap")]
    return next((folder / _NAME for folder in folders if os.access(folder / _NAME, os.R_OK)), None)
