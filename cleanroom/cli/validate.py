"""`cleanroom validate`: every problem of every spec, and nothing started."""

from __future__ import annotations

import argparse
import sys

from cleanroom.cli.selection import add_selection, options_of
from cleanroom.errors import ExitCode


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "validate",
        help="check specs without running them",
        description="Check specs; exit 3 and all problems when one is invalid.",
    )
    add_selection(parser)
    parser.set_defaults(call=_validate)


def _validate(arguments: argparse.Namespace) -> int:
    from cleanroom.pipeline.suites import load_some  # noqa: PLC0415 - the parser itself stays light

    plans = load_some(options_of(arguments, out="")).plans
    for plan in plans:
        scenarios = len(plan.suite.scenarios)
        sys.stdout.write(f"{plan.suite.file}: valid ({scenarios} scenario{'s' if scenarios != 1 else ''})\n")
    return int(ExitCode.PASS)
