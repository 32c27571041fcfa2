"""What every command shares: where the data is, how errors end, where text goes."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import orjson
import typer
from rich.console import Console

from netvigil.errors import NetvigilError, UsageError
from netvigil.log import set_up_logging
from netvigil.settings import Settings, read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

Result = TypeVar("Result")

PIPE_WIDTH = 200
"""Columns where there is no terminal to ask: a table that goes into a file or to grep must not lose text."""


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
    return Console(stderr=stderr, highlight=False, emoji=False, markup=False, width=width)


out = _console(stderr=False)
"""Results; markup is off, for some of the text comes from devices."""
err = _console(stderr=True)
"""Everything else."""


def settings_from(data_dir: Path | None, *, quiet: bool = False, vantages: Sequence[str] = ()) -> Settings:
    """Settings of this command, and logging set up to match; `quiet` logs warnings only."""
    settings = read_settings(data_dir=data_dir, vantages=tuple(vantages) or None)
    set_up_logging(json=settings.log_json, level=30 if quiet else 20)
    return settings


def run(work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run a command's coroutine; a deliberate error ends the process with its one sentence."""
    try:
        return asyncio.run(work())
    except NetvigilError as error:
        fail(error)
    except KeyboardInterrupt:
        err.print("Interrupted.")
        raise typer.Exit(130) from None


def fail(error: NetvigilError) -> NoReturn:
    """Print the error's sentence and leave: 2 for wrong use, 1 otherwise."""
    err.print(f"netvigil: {error}")
    raise typer.Exit(2 if isinstance(error, UsageError) else 1) from None


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n")
    sys.stdout.flush()
