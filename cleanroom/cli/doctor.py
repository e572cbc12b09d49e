"""`cleanroom doctor`: what this machine can do, each rung, each remedy."""

from __future__ import annotations

import argparse
import os
import sys

from cleanroom.errors import ExitCode


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "doctor",
        help="say what this machine can do",
        description="Try what a run needs: the engine, a cell, the packet filter, every rung of every fault.",
    )
    parser.add_argument(
        "--image", default=os.environ.get("CLEANROOM_IMAGE", ""), help="image of the cell (CLEANROOM_IMAGE)"
    )
    parser.add_argument("--engine", default="auto", choices=["auto", "cell", "own", "host"], help="as for `run`")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.set_defaults(call=_doctor)


def _doctor(arguments: argparse.Namespace) -> int:
    from cleanroom.pipeline import doctor  # noqa: PLC0415 - docker is heavy; help texts need none of it

    if arguments.inside:
        sys.stdout.write(doctor.as_json(doctor.diagnose_inside()))
        return int(ExitCode.PASS)
    outside = doctor.diagnose_outside(os.environ)
    sys.stdout.write(doctor.render(outside))
    if not outside[-1].works:
        return int(ExitCode.ENGINE)
    inside = doctor.diagnose_cell(arguments.image, arguments.engine)
    sys.stdout.write("inside a cell:\n" + doctor.render(inside))
    return int(ExitCode.PASS if inside[0].works else ExitCode.ENGINE)
