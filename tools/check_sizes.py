"""Refuse functions over 50 lines and modules over 400: what is longer has more than one thing to say."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

FUNCTION_LINES = 50
MODULE_LINES = 400


def main() -> int:
    """Print what is too long; 1 when anything is."""
    wrong = []
    for path in sorted(Path().glob("*/**/*.py")):
        if path.parts[0] not in {"netvigil", "tests", "bench", "tools"} or "versions" in path.parts:
            continue
        text = path.read_text()
        if (lines := text.count("\n")) > MODULE_LINES:
            wrong.append(f"{path}: {lines} lines, at most {MODULE_LINES}")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
                length = node.end_lineno - node.lineno + 1
                if length > FUNCTION_LINES:
                    wrong.append(
                        f"{path}:{node.lineno}: {node.name} has {length} lines, at most {FUNCTION_LINES}"
                    )
    sys.stdout.writelines(f"{line}\n" for line in wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
