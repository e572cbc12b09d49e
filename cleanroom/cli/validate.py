"""`cleanroom validate`: every problem of every spec, and nothing started."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from cleanroom.cli.selection import add_selection, options_of
from cleanroom.errors import ExitCode
from cleanroom.text import relay

if TYPE_CHECKING:
    from cleanroom.spec.suite import Suite


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

    for plan in load_some(options_of(arguments, out="")).plans:
        suite = plan.suite
        scenarios = len(suite.scenarios)
        name = f" {suite.name}:" if suite.instance else ""
        sys.stdout.write(f"{suite.file}:{name} valid ({scenarios} scenario{'s' if scenarios != 1 else ''})\n")
        _note(suite)
    return int(ExitCode.PASS)


def _note(suite: Suite) -> None:
    """Say what `run` would refuse the spec for; a line each, so that nobody takes "valid" for "can be run"."""
    missing = suite.unavailable
    if missing:
        sys.stdout.write(f"  run cannot carry out {len(missing)} thing{'s' if len(missing) != 1 else ''} in it yet:\n")
        for problem in missing:
            sys.stdout.write(relay(f"    {problem.at}: {problem.message}\n"))
