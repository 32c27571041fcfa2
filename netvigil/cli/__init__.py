"""The command line: results on stdout, everything else on stderr; 0 success, 1 failure, 2 wrong use."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main() -> None:
    """The entry point `netvigil`."""
    plain = _plain_match(sys.argv[1:])
    if plain is not None:
        from netvigil.cli.match import answer_match

        sys.exit(answer_match(*plain))
    from netvigil.cli.main import main as run_command

    run_command()


def _plain_match(words: list[str]) -> tuple[list[str], Path | None, bool] | None:
    """CPEs, data directory and `--json` of a `match` that needs no option parser; None for all else.

    The parser's imports cost twice the answer of the one command that scripts call in loops.
    """
    if words[:1] != ["match"]:
        return None
    cpes: list[str] = []
    folder = os.environ.get("NETVIGIL_DATA_DIR") or None
    as_json = False
    rest = iter(words[1:])
    for word in rest:
        if word == "--json":
            as_json = True
        elif word == "--data-dir":
            folder = next(rest, None)
            if folder is None:
                return None
        elif word.startswith("cpe:"):
            cpes.append(word)
        else:
            return None
    return (cpes, Path(folder) if folder else None, as_json) if cpes else None
