"""`cleanroom run`."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from cleanroom.cli.gates import add_gates, gates_of
from cleanroom.cli.selection import add_selection, options_of
from cleanroom.cli.updating import update_specs
from cleanroom.errors import UsageError
from cleanroom.text import one_line, relay

if TYPE_CHECKING:
    from cleanroom.engine.conversation import Interrupt
    from cleanroom.pipeline.outside import RunOutcome


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("run", help="run specs and judge them", description="Run specs and judge them.")
    add_selection(parser)
    add_gates(parser)
    parser.add_argument(
        "--out", default="cleanroom-report", metavar="DIR", help="report folder (default: cleanroom-report)"
    )
    parser.add_argument(
        "--engine", default="auto", choices=["auto", "cell", "own", "host"],
        help="where the services run: a cell in the engine at hand, a private engine (root), or that engine itself",
    )  # fmt: skip
    parser.add_argument(
        "--image", default=os.environ.get("CLEANROOM_IMAGE", ""), help="image of the cell (CLEANROOM_IMAGE)"
    )
    parser.add_argument("--image-cache", default="auto", choices=["auto", "off"], help="keep images between runs")
    parser.add_argument("--state-dir", default="", metavar="DIR", help="where a private engine keeps its image cache")
    parser.add_argument("--jobs", type=int, default=None, metavar="N", help="iterations at a time (default: CPUs + 1)")
    parser.add_argument(
        "--update", action="store_true",
        help="write the rules that would make the iterations equal into the specs; the verdict stays as it is",
    )  # fmt: skip
    parser.add_argument(
        "--example", default="", metavar="JSON", help="run a property for this one example, as a finding names it"
    )
    parser.add_argument("--keep", action="store_true", help="leave the first environment up, and say how to get in")
    parser.add_argument(
        "--progress", default="auto", choices=["auto", "live", "plain", "quiet"], help="how to tell what is going on"
    )
    parser.set_defaults(call=_run)


def _run(arguments: argparse.Namespace) -> int:
    from cleanroom.engine.conversation import Interrupt  # noqa: PLC0415 - docker is heavy; help texts need none of it
    from cleanroom.pipeline.outside import run_cleanroom  # noqa: PLC0415

    if arguments.jobs is not None and arguments.jobs < 1:
        raise UsageError(f"--jobs {arguments.jobs}: expected at least 1")
    progress = arguments.progress
    if progress == "auto":
        progress = "live" if sys.stdout.isatty() and "CI" not in os.environ else "plain"
    options = options_of(
        arguments, out=str(Path(arguments.out).resolve()), engine=arguments.engine, image=arguments.image,
        image_cache=arguments.image_cache, state_dir=arguments.state_dir, jobs=arguments.jobs, keep=arguments.keep,
        progress=progress, columns=shutil.get_terminal_size().columns,
        **gates_of(arguments), example=arguments.example,
    )  # fmt: skip
    interrupt = Interrupt()
    _obey_signals(interrupt)
    outcome = run_cleanroom(options, _write, interrupt)
    _tell(outcome)
    if arguments.update:
        for line in update_specs(Path(outcome.out) / "report.json", Path(options.root)):
            sys.stdout.write(relay(f"{one_line(line, 2000)}\n"))
    return outcome.exit_code


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _obey_signals(interrupt: Interrupt) -> None:
    def handler(_number: int, _frame: object) -> None:
        # Not in the handler itself: it may have interrupted the very code that holds the lock.
        threading.Thread(target=interrupt.fire, daemon=True).start()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)


def _tell(outcome: RunOutcome) -> None:
    for note in outcome.notes:
        sys.stdout.write(relay(f"note: {note}\n"))
    if outcome.message:
        # It may quote a spec or a service.
        sys.stderr.write(relay(f"cleanroom: {outcome.message}\n"))
    sys.stdout.write(f"reports: {outcome.out}\n")
