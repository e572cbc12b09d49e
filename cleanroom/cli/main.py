"""`cleanroom`: the command line; parsing and printing only, every command's work is done below."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from cleanroom import __version__
from cleanroom.cli import (
    audit,
    cache,
    diff,
    doctor,
    explain,
    fmt,
    graph,
    importing,
    init,
    judge,
    lint,
    noise,
    plan,
    render,
    report,
    run,
    schema,
    validate,
    verify,
)
from cleanroom.errors import CleanroomError, ExitCode
from cleanroom.text import relay

DESCRIPTION = """\
Proves that a system of containers behaves, recovers and repeats: starts the services of *.cleanroom.yaml specs in a
nested Docker engine on an isolated network, drives them, injects seeded faults, does it all five times, and judges
from OpenTelemetry spans."""
EPILOG = """\
exit codes: 0 pass, 1 findings, 2 usage, 3 invalid spec, 4 engine trouble, 5 telemetry missing, 6 inconclusive,
130 interrupted"""

_COMMANDS = (
    run, judge, plan, validate, lint, fmt, render, report, verify, audit, diff, noise, graph, explain,
    schema, init, importing, doctor, cache,
)  # fmt: skip


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of every command."""
    parser = argparse.ArgumentParser(
        prog="cleanroom",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"cleanroom {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for module in _COMMANDS:
        module.add_parser(commands)
    worker = commands.add_parser("worker")
    worker.set_defaults(call=_worker)
    return parser


def _worker(_arguments: argparse.Namespace) -> int:
    import os  # noqa: PLC0415 - the worker's job is in its environment

    from cleanroom.pipeline.inside import run_inside  # noqa: PLC0415 - everything heavy hangs on it

    return run_inside(os.environ)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; errors of ours are printed, never raised."""
    arguments = build_parser().parse_args(argv)
    call: Callable[[argparse.Namespace], int] = arguments.call
    try:
        return call(arguments)
    except CleanroomError as err:
        sys.stderr.write(relay(f"cleanroom: {err}\n"))
        return int(err.exit_code)
    except KeyboardInterrupt:
        return int(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output went away: nobody is left to tell.
        return int(ExitCode.USAGE)


if __name__ == "__main__":
    sys.exit(main())
