"""The child process that sets one report: a frozen report as JSON on stdin, a PDF on stdout, its limits set by itself."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

import fontpkg_ibm_plex_sans
import orjson

from netvigil.reports.pdf.document import build

HERE = Path(__file__).parent


def typeset(values: dict[str, object]) -> bytes:
    """The PDF of the template's values, tagged; as PDF/UA-1 (ISO 14289-1) unless some text makes that impossible.

    Raises typst.TypstError.
    """
    import typst  # noqa: PLC0415 - 40 MB that only a process which typesets needs

    # the same pages on every machine: no font of the system's
    fonts = typst.Fonts(
        include_system_fonts=False, include_embedded_fonts=True, font_paths=[str(fontpkg_ibm_plex_sans.ROOT)]
    )
    template = HERE / "template"
    compiler = typst.Compiler(
        str(template / "report.typ"),
        root=str(template),
        font_paths=fonts,
        sys_inputs={"report": orjson.dumps(values).decode()},
    )
    try:
        pdf = compiler.compile(format="pdf", pdf_standards=["ua-1"])
    except typst.TypstError as error:
        if "PDF/UA-1" not in str(error.diagnostic):
            raise
        pdf = compiler.compile(format="pdf")  # readable by all but the strictest validator
    if not isinstance(pdf, bytes):
        raise TypeError("Typst gave no PDF")
    return pdf


def main() -> None:
    """Arguments: the seconds of processor time and the bytes of address space that this process may use."""
    seconds, size = int(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(5)
    report = orjson.loads(sys.stdin.buffer.read())
    values = build(report)
    del report
    try:
        sys.stdout.buffer.write(typeset(values))
    except RuntimeError as error:  # typst.TypstError is one, and says in `diagnostic` where
        sys.exit(str(getattr(error, "diagnostic", error)))


if __name__ == "__main__":
    main()
