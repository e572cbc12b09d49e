"""`cleanroom diff`: what changed between two runs, or two recordings."""

from __future__ import annotations

import argparse
import sys

from cleanroom.errors import ExitCode


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "diff",
        help="rank what changed between two runs or recordings",
        description="Compare two runs by their journals (plans, verdicts, outcomes, normalised spans of each "
        "iteration), or two files of spans, and list the changes from A to B, the riskiest first. Exit 1 when they "
        "differ.",
    )
    parser.add_argument("left", metavar="A", help="report folder, its journal, or a file of spans")
    parser.add_argument("right", metavar="B", help="the same of the other")
    parser.add_argument("--format", default="text", choices=["text", "json"], help="for people or for programs")
    parser.set_defaults(call=_diff)


def _diff(arguments: argparse.Namespace) -> int:
    from cleanroom.pipeline.diff import diff  # noqa: PLC0415 - judging is heavy; help texts need none of it
    from cleanroom.report.changes import changes_json, changes_text  # noqa: PLC0415

    changes = diff(arguments.left, arguments.right)
    sys.stdout.write((changes_json if arguments.format == "json" else changes_text)(changes))
    return int(ExitCode.FINDINGS if changes else ExitCode.PASS)
