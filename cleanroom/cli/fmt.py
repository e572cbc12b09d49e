"""`cleanroom fmt`: one layout for all spec files."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cleanroom.cli.files import replace_file
from cleanroom.cli.selection import add_files, files_of
from cleanroom.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from cleanroom.spec.source import Problem


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "fmt",
        help="lay out spec files in the one way",
        description=(
            "Rewrite spec files: indentation, white space, blank lines, quotes and long flow collections. Data, order "
            "and comments stay, which is checked before a file is written. A file that is not valid YAML is left as it "
            "is (exit 3); templates (.j2) are skipped."
        ),
    )
    add_files(parser)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file would change")
    parser.add_argument("--diff", action="store_true", help="write nothing; print what would change")
    parser.set_defaults(call=_format)


def _format(arguments: argparse.Namespace) -> int:
    from cleanroom.spec.problem import render_problems  # noqa: PLC0415 - the parser itself stays light

    problems: list[Problem] = []
    counts = {"changed": 0, "unchanged": 0}
    files = files_of(arguments)
    for path, name in files:
        if name.endswith(".j2"):
            sys.stderr.write(f"{name}: skipped, a template is no YAML before it is rendered\n")
            continue
        before, after, found = _formatted(path, name)
        problems += found
        if found:
            continue
        counts["unchanged" if before == after else "changed"] += 1
        if before != after:
            _act(path, name, before, after, arguments)
    if problems:
        sys.stderr.write(render_problems(problems) + "\n")
    sys.stdout.write(_summary(counts, writes=not (arguments.check or arguments.diff)))
    if problems:
        return int(ExitCode.INVALID_SPEC)
    return int(ExitCode.FINDINGS if arguments.check and counts["changed"] else ExitCode.PASS)


def _formatted(path: Path, name: str) -> tuple[bytes, bytes, tuple[Problem, ...]]:
    """Return the file, the file formatted, and what is wrong with it."""
    from cleanroom.spec.document import LARGEST_FILE, UnreadableError  # noqa: PLC0415 - the parser itself stays light
    from cleanroom.spec.format.rewrite import format_spec  # noqa: PLC0415
    from cleanroom.spec.problem import ProblemLog  # noqa: PLC0415
    from cleanroom.spec.source import Position  # noqa: PLC0415

    log = ProblemLog(name)
    if not path.is_file():
        # A pipe would be waited for.
        log.report("unreadable", Position(name, 1, 1), "the spec cannot be read: it is no regular file")
        return b"", b"", log.sorted()
    try:
        with path.open("rb") as file:
            before = file.read(LARGEST_FILE + 1)
        return before, format_spec(before, log).encode(), ()
    except OSError as err:
        log.report("unreadable", Position(name, 1, 1), f"the spec cannot be read: {err.strerror}")
    except UnreadableError:
        pass  # reported where it was found
    return b"", b"", log.sorted()


def _act(path: Path, name: str, before: bytes, after: bytes, arguments: argparse.Namespace) -> None:
    """Print the difference, say that there is one, or write the file."""
    if arguments.diff:
        sys.stdout.write(_difference(name, before, after))
    elif arguments.check:
        sys.stdout.write(f"{name}: would be formatted\n")
    else:
        try:
            replace_file(path.resolve(), after)
        except OSError as err:
            raise UsageError(f"{name} cannot be written: {err.strerror}", remedy="make its folder writable") from err
        sys.stdout.write(f"{name}: formatted\n")


def _difference(name: str, before: bytes, after: bytes) -> str:
    import difflib  # noqa: PLC0415 - only here

    # A file whose only fault is CRLF differs in every line, and the carriage returns are what must be seen.
    old = before.decode("utf-8").replace("\r", "\\r").split("\n")
    new = after.decode("utf-8").split("\n")
    lines = difflib.unified_diff(old, new, f"a/{name}", f"b/{name}", lineterm="")
    return "".join(f"{line}\n" for line in lines)


def _summary(counts: dict[str, int], *, writes: bool) -> str:
    changed, unchanged = counts["changed"], counts["unchanged"]
    files = f"{changed} file{'s' if changed != 1 else ''} {'formatted' if writes else 'would be formatted'}"
    return f"{files}, {unchanged} unchanged\n"
