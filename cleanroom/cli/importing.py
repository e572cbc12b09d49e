"""`cleanroom import`: a first spec from what is there already: a Compose file, or a spec of the predecessor."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from cleanroom.cli.files import inside, write_new
from cleanroom.errors import ExitCode, SpecError
from cleanroom.text import relay


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "import",
        help="make a spec from a Compose file or from a .clnrm.toml",
        description="Make a spec from what is there; what cannot be taken is named in it and on standard error.",
    )
    kinds = parser.add_subparsers(dest="kind", metavar="KIND", required=True)
    compose = kinds.add_parser("compose", help="the services of a Compose file", description="Import a Compose file.")
    _common(compose)
    compose.add_argument(
        "--profile", action="append", default=[], metavar="NAME", help="also services of this profile (`*`: of any)"
    )
    compose.set_defaults(call=_compose)
    clnrm = kinds.add_parser(
        "clnrm",
        help="a spec of the predecessor",
        description="Import a .clnrm.toml: the part of it that means something.",
    )
    _common(clnrm)
    clnrm.set_defaults(call=_clnrm)


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="the file to import")
    parser.add_argument("--out", default="", metavar="SPEC", help="where to write the spec (default: standard output)")
    parser.add_argument("--force", action="store_true", help="replace the spec at --out")
    parser.add_argument("--root", default=".", help="the repository; nothing outside of it is read (default: .)")


def _compose(arguments: argparse.Namespace) -> int:
    from cleanroom.spec.compose.load import Wanted, import_compose  # noqa: PLC0415 - the parser itself stays light
    from cleanroom.spec.compose.writing import compose_spec, remarks_of  # noqa: PLC0415
    from cleanroom.spec.problem import render_problems  # noqa: PLC0415

    root = Path(arguments.root).resolve()
    path = inside(arguments.file, root)
    out = inside(arguments.out, root, exists=False) if arguments.out else None
    base = out.parent if out else Path.cwd()
    imported = import_compose(Wanted(path=path, profiles=tuple(arguments.profile)), root, base)
    if isinstance(imported, tuple):
        raise SpecError(f"{arguments.file} is not valid:\n{render_problems(imported)}")
    said = {
        "not taken": remarks_of(imported, "refused"),
        "decided": remarks_of(imported, "decided"),
        "left out": remarks_of(imported, "harmless"),
    }
    return _give(compose_spec(imported, path.name), out, said, root=root, force=arguments.force)


def _clnrm(arguments: argparse.Namespace) -> int:
    from cleanroom.spec.clnrm.load import import_clnrm  # noqa: PLC0415 - the parser itself stays light
    from cleanroom.spec.clnrm.writing import clnrm_spec  # noqa: PLC0415

    root = Path(arguments.root).resolve()
    path = inside(arguments.file, root)
    out = inside(arguments.out, root, exists=False) if arguments.out else None
    imported = import_clnrm(path)
    said = {
        "not taken": imported.not_taken,
        "never evaluated there": imported.never_evaluated,
        "changed": imported.changed,
    }
    return _give(clnrm_spec(imported, path.name), out, said, root=root, force=arguments.force)


def _give(text: str, out: Path | None, said: Mapping[str, Sequence[str]], *, root: Path, force: bool) -> int:
    """Write a spec, and what was said of it to standard error."""
    if out is None:
        sys.stdout.write(text)
    else:
        write_new(out, text, force=force)
    for heading, lines in said.items():
        for line in lines:
            sys.stderr.write(relay(f"{heading}: {line}\n"))
    if out is not None:
        shown = out.relative_to(root)
        problems = _problems(out, root)
        if problems:
            raise SpecError(
                f"wrote {shown}, and it is not valid yet:\n{problems}", remedy="correct it where it says so"
            )
        sys.stderr.write(relay(f"wrote {shown}; next: cleanroom plan {shown}\n"))
    return int(ExitCode.PASS)


def _problems(path: Path, root: Path) -> str:
    """Return what is wrong with a spec that was written, as text; nothing when it is valid."""
    from cleanroom.spec.load import load_spec, render_problems  # noqa: PLC0415 - the parser itself stays light

    problems = load_spec(path, root=root, variables={}, environment={}).problems
    return render_problems(problems) if problems else ""
