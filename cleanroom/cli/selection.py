"""Arguments that choose specs, shared by the commands that take them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path

from cleanroom.errors import UsageError
from cleanroom.pipeline.options import RunOptions
from cleanroom.spec.suite import TIERS

ALLOWED_PREFIX = "CLEANROOM_"
# Ours, not a spec's: the variables by which the parts of the program speak to each other.
_INTERNAL = ("CLEANROOM_JOB", "CLEANROOM_IMAGE", "CLEANROOM_CELL")


def add_files(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that name spec files."""
    parser.add_argument(
        "specs", nargs="*", default=["."], metavar="SPEC", help="spec files, folders or globs (default: .)"
    )
    parser.add_argument("--root", default=".", help="the repository; nothing outside of it is read (default: .)")


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that name specs and what is put into them."""
    add_files(parser)
    parser.add_argument(
        "--tags", action="append", default=[], metavar="TAG", help="only scenarios with one of these tags"
    )
    parser.add_argument(
        "--tier",
        default=None,
        choices=TIERS,
        help="only suites of this tier and of those before it",
    )
    _add_seed(parser)
    parser.add_argument("--iterations", type=int, default=None, metavar="N", help="instead of the spec's number")
    _add_names(parser)


def add_templates(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that name specs and what their templates see, for commands that look at whole files."""
    add_files(parser)
    _add_values(parser)


def add_spec_values(parser: argparse.ArgumentParser) -> None:
    """Add what the templates of one spec see, for commands that name that spec on their own."""
    parser.add_argument("--root", default=".", help="the repository; nothing outside of it is read (default: .)")
    _add_values(parser)


def _add_values(parser: argparse.ArgumentParser) -> None:
    _add_seed(parser)
    _add_names(parser)
    parser.set_defaults(tags=[], tier=None, iterations=None)


def _add_seed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", default=None, help="a number, or `random` (default: the spec's, else 42)")


def _add_names(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--var", action="append", default=[], metavar="NAME=VALUE", help="a variable for templates")
    parser.add_argument(
        "--allow-env",
        action="append",
        default=[],
        metavar="NAME",
        help="an environment variable that templates may read",
    )


def files_of(arguments: argparse.Namespace) -> tuple[tuple[Path, str], ...]:
    """Return the spec files that `add_files` named, each with its name below the root; raises `UsageError`."""
    from cleanroom.spec.discover import discover  # noqa: PLC0415 - the parser itself stays light

    root = _root(arguments)
    files = discover([_relative(spec, root) for spec in arguments.specs], root)
    return tuple((path, path.relative_to(root).as_posix()) for path in files)


def options_of(arguments: argparse.Namespace, **more: object) -> RunOptions:
    """Return the options that the arguments ask for; raises `UsageError`."""
    root = _root(arguments)
    if arguments.iterations is not None and not 1 <= arguments.iterations <= 100:  # noqa: PLR2004 - spec.md section 7
        raise UsageError(f"--iterations {arguments.iterations}: expected 1 to 100")
    seed, is_random = _seed(arguments.seed)
    tags = tuple(t for text in arguments.tags for t in text.split(",") if t)
    return RunOptions(
        specs=tuple(_relative(spec, root) for spec in arguments.specs),
        root=str(root),
        tags=tags,
        tier=arguments.tier,
        iterations=arguments.iterations,
        seed=seed,
        random_seed=is_random,
        variables=dict(_pair(text) for text in arguments.var),
        environment=_environment(os.environ, arguments.allow_env),
        **more,  # type: ignore[arg-type]  # each command passes fields of the value by name
    )


def _root(arguments: argparse.Namespace) -> Path:
    root = Path(arguments.root).resolve()
    if not root.is_dir():
        raise UsageError(f"--root {arguments.root}: there is no such folder")
    return root


def _relative(spec: str, root: Path) -> str:
    """Return the path, given relative to where the caller stands, as a pattern below the root."""
    path = Path(spec)
    absolute = path if path.is_absolute() else Path.cwd() / path
    try:
        return str(absolute.relative_to(root)) or "."
    except ValueError:
        return spec


def _seed(text: str | None) -> tuple[int | None, bool]:
    if text is None:
        return None, False
    if text == "random":
        return None, True
    try:
        return int(text), False
    except ValueError:
        raise UsageError(f"--seed {text}: expected a whole number or `random`") from None


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"--var {text}: expected NAME=VALUE")
    return name, value


def _environment(ours: Mapping[str, str], allowed: list[str]) -> dict[str, str]:
    wanted = {n for text in allowed for n in text.split(",") if n}
    return {
        name: value
        for name, value in ours.items()
        if name in wanted or (name.startswith(ALLOWED_PREFIX) and name not in _INTERNAL)
    }
