"""`cleanroom judge`: spans that were recorded anywhere, judged by a spec."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cleanroom.cli.selection import add_spec_values, options_of
from cleanroom.errors import UsageError
from cleanroom.text import relay


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "judge",
        help="judge recorded spans by a spec, without an engine",
        description="Judge spans that were recorded anywhere by the spec's expect (and a scenario's), and write the "
        "report that a run writes. All files together are one recording. What only a run knows (steps, faults and "
        "their windows, outcomes, egress, leaks) is inconclusive, never passed; iterations are not compared.",
    )
    parser.add_argument("spec", metavar="SPEC", help="the spec file")
    parser.add_argument(
        "traces", nargs="+", metavar="TRACES",
        help="OTLP/JSON lines or documents, or OTLP protobuf, as the collector's file exporter writes them",
    )  # fmt: skip
    parser.add_argument("--scenario", default="", metavar="NAME", help="judge this scenario's expect too")
    parser.add_argument(
        "--runner", action="append", default=[], metavar="FILE",
        help="the runner's own spans (traces/…-runner-….jsonl of a report); cleanroom.* elsewhere is forged",
    )  # fmt: skip
    parser.add_argument(
        "--allow-inconclusive", default="", metavar="REASON", help="why what only a run knows need not be judged"
    )
    parser.add_argument(
        "--out", default="cleanroom-report", metavar="DIR", help="report folder (default: cleanroom-report)"
    )
    add_spec_values(parser)
    parser.set_defaults(call=_judge)


def _judge(arguments: argparse.Namespace) -> int:
    from cleanroom.pipeline.judge import Recording, judge_files  # noqa: PLC0415 - judging is heavy
    from cleanroom.report.console import render_console  # noqa: PLC0415

    arguments.specs = [arguments.spec]
    if arguments.allow_inconclusive and not arguments.allow_inconclusive.strip():
        raise UsageError("--allow-inconclusive: expected a reason")
    options = options_of(arguments, out=str(Path(arguments.out).resolve()))
    recording = Recording(
        traces=tuple(arguments.traces), runner=tuple(arguments.runner), scenario=arguments.scenario,
        allow_inconclusive=arguments.allow_inconclusive,
    )  # fmt: skip
    report = judge_files(options, recording)
    sys.stdout.write(render_console(report, options.out))
    sys.stdout.write(relay(f"reports: {options.out}\n"))
    return int(report.verdict.exit_code)
