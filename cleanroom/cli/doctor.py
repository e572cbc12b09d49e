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
        description="Try what a run needs: the engine, a cell, and what every rung of every fault needs. Says of each "
        "fault which rung it takes here, why none of those above it, and what to do for that.",
    )
    parser.add_argument(
        "--image", default=os.environ.get("CLEANROOM_IMAGE", ""), help="image of the cell (CLEANROOM_IMAGE)"
    )
    parser.add_argument("--engine", default="auto", choices=["auto", "cell", "own", "host"], help="as for `run`")
    parser.add_argument(
        "--probe", nargs="?", const="", metavar="FAULT,…",
        help="prove it: inject every fault that needs no special server (or those named) into throw-away containers, "
        "verify it, take it away, verify that; exits with 1 when one that should work here was not proven",
    )  # fmt: skip
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.set_defaults(call=_doctor)


def _doctor(arguments: argparse.Namespace) -> int:
    # docker is heavy; help texts need none of it
    from cleanroom.engine.cell import CellFacts  # noqa: PLC0415 - as said above
    from cleanroom.pipeline.doctor import findings, inside, outside, proving  # noqa: PLC0415 - as said above

    asked = None if arguments.probe is None else proving.chosen(arguments.probe)
    if arguments.inside:
        inside.examine_inside(CellFacts.from_environment(os.environ), asked, lambda found: _say(findings.encode(found)))
        return int(ExitCode.PASS)
    machine = outside.diagnose_outside(os.environ)
    words = findings.Words()
    _say("".join(words.of(one) for one in machine))
    if not machine[-1].works:
        return int(ExitCode.ENGINE)
    _say("inside a cell:\n")
    options = () if asked is None else ("--probe", ",".join(asked))
    found = outside.examine_cell(arguments.image, arguments.engine, options, lambda one: _say(words.of(one)))
    if not found[-1].works:
        return int(ExitCode.ENGINE)
    return int(ExitCode.PASS if asked is None or proving.fulfilled(asked, found) else ExitCode.FINDINGS)


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
