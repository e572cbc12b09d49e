"""`cleanroom schema`: the JSON Schema of specs, for editors."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cleanroom.errors import ExitCode, UsageError


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "schema",
        help="print the JSON Schema of specs",
        description="Print the JSON Schema (2020-12) of *.cleanroom.yaml, for editors that complete and underline.",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write it there instead of printing it")
    parser.set_defaults(call=_schema)


def _schema(arguments: argparse.Namespace) -> int:
    from cleanroom.spec.language.schema import render_schema  # noqa: PLC0415 -- the parser itself stays light
    from cleanroom.spec.shapes.suite import SUITE  # noqa: PLC0415

    text = render_schema(SUITE)
    if arguments.out is None:
        sys.stdout.write(text)
        return int(ExitCode.PASS)
    try:
        arguments.out.write_text(text, encoding="utf-8")
    except OSError as err:
        raise UsageError(f"the schema cannot be written to {arguments.out}: {err.strerror}") from err
    return int(ExitCode.PASS)
