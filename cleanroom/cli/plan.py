"""`cleanroom plan`: everything that a run would do, drawn and fixed, with its digest."""

from __future__ import annotations

import argparse
import json
import sys

from cleanroom.cli.selection import add_selection, options_of
from cleanroom.errors import ExitCode


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "plan",
        help="print what a run would do",
        description="Print services, steps, faults, expectations and the digest of every spec; starts nothing.",
    )
    add_selection(parser)
    parser.add_argument(
        "--format",
        default="text",
        choices=["text", "json", "mermaid"],
        help="for people, for programs, or as charts in Markdown",
    )
    parser.set_defaults(call=_plan)


def _plan(arguments: argparse.Namespace) -> int:
    from cleanroom.pipeline.suites import load_some  # noqa: PLC0415 - the parser itself stays light
    from cleanroom.plan.document import plan_json  # noqa: PLC0415
    from cleanroom.plan.mermaid import plan_mermaid  # noqa: PLC0415
    from cleanroom.plan.text import plan_text  # noqa: PLC0415

    plans = load_some(options_of(arguments, out="")).plans
    if arguments.format == "json":
        sys.stdout.write(json.dumps([plan_json(p) for p in plans], indent=2, sort_keys=True) + "\n")
    else:
        show = plan_mermaid if arguments.format == "mermaid" else plan_text
        sys.stdout.write("\n".join(show(p) for p in plans))
    return int(ExitCode.PASS)
