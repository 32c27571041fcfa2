"""The command line: results on stdout, everything else on stderr; 0 success, 1 failure, 2 wrong use."""

from netvigil.cli.main import main

__all__ = ["main"]
