"""`cleanroom report`: every output of a run again, from its journal."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cleanroom.errors import ExitCode, UsageError
from cleanroom.text import relay

if TYPE_CHECKING:
    from cleanroom.report.model import RunReport

_FILES = {
    "json": "report.json", "junit": "junit.xml", "summary": "summary.md", "digests": "digests.json",
    "cleanup": "cleanup.json",
}  # fmt: skip


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "report",
        help="write a run's outputs again from its journal",
        description="Judge the journal of a run again and print one of its outputs, or write the whole report folder "
        "with --out: the same bytes as the run wrote, as long as this is the same version. Where a secret was masked, "
        "a journal holds as many asterisks as it had bytes. The exit code says whether that worked, not the verdict.",
    )
    parser.add_argument("journal", metavar="JOURNAL", help="report folder of a run, or the journal folder in it")
    parser.add_argument(
        "--format", default="console", choices=["console", *_FILES, "annotations"],
        help="what to print (default: console)",
    )  # fmt: skip
    parser.add_argument("--out", default="", metavar="DIR", help="write the whole report folder there instead")
    parser.set_defaults(call=_report)


def _report(arguments: argparse.Namespace) -> int:
    from cleanroom.pipeline.retelling import find_journal, retell, write_again  # noqa: PLC0415 - heavy

    journal = find_journal(arguments.journal)
    told = retell(journal)
    if arguments.out:
        if arguments.format != "console":
            raise UsageError("--out writes every output: it goes without --format")
        write_again(told, journal, Path(arguments.out).resolve())
        sys.stdout.write(relay(f"reports: {arguments.out}\n"))
    else:
        text = _rendered(told.report, arguments.format, str(journal.resolve().parent))
        # As the files have it: text that is no UTF-8 must not end in a traceback, whatever the terminal's encoding.
        sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
        sys.stdout.buffer.flush()
    return int(ExitCode.PASS)


def _rendered(report: RunReport, form: str, directory: str) -> str:
    from cleanroom.report.annotations import annotate  # noqa: PLC0415
    from cleanroom.report.console import render_console  # noqa: PLC0415
    from cleanroom.report.json_report import report_json  # noqa: PLC0415
    from cleanroom.report.write import RENDERERS  # noqa: PLC0415

    if form == "console":
        return render_console(report, directory)
    if form == "annotations":
        return "".join(f"{annotation.command()}\n" for annotation in annotate(report_json(report)))
    return RENDERERS[_FILES[form]](report)
