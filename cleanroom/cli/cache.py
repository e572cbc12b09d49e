"""`cleanroom cache`: the image caches, listed and cleared."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from cleanroom.errors import EngineError, ExitCode

if TYPE_CHECKING:
    from cleanroom.engine.raw import RawEngine

_MIB = 1 << 20


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "cache",
        help="list or clear image caches",
        description="Image caches hold images and build layers between runs.",
    )
    parser.add_argument("action", choices=["list", "clear"], help="list them, or remove those that no run uses")
    parser.add_argument("--state-dir", default="", metavar="DIR", help="as for `run`")
    parser.set_defaults(call=_cache)


def _cache(arguments: argparse.Namespace) -> int:
    from cleanroom.engine.cache import clear_caches, list_caches  # noqa: PLC0415 - docker is heavy
    from cleanroom.engine.modes import default_state_dir  # noqa: PLC0415

    engine = _engine()
    state = arguments.state_dir or default_state_dir(os.environ)
    if arguments.action == "list":
        for entry in list_caches(engine, state):
            size = f"{entry.size / _MIB:.0f} MiB" if entry.size is not None else "size unknown"
            sys.stdout.write(f"{entry.name}  {size}  {f'in use by {entry.in_use}' if entry.in_use else 'free'}\n")
        return int(ExitCode.PASS)
    for name in clear_caches(engine, state):
        sys.stdout.write(f"{name}\n")
    return int(ExitCode.PASS)


def _engine() -> RawEngine | None:
    from cleanroom.engine.raw import RawEngine  # noqa: PLC0415

    try:
        return RawEngine()
    except EngineError:
        # Without an engine there are still the caches of private ones.
        return None
