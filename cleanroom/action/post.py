"""The post stage: the backstop that removes what the step left when it was cut off in the middle of everything.

A runner that cancels kills its own client after ten seconds, never our container. This stage runs afterwards, always,
in a container of its own: it removes the step's container if that still runs (with it the cell's last owner dies), and
then everything whose owner is provably gone.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from cleanroom.action.commands import Commands
from cleanroom.engine.identity import this_process
from cleanroom.engine.modes import find_self
from cleanroom.engine.raw import RawEngine
from cleanroom.engine.sweep import sweep
from cleanroom.errors import CleanroomError

CONTAINER = "container"
_LABEL = "cleanroom.image"


def own_container() -> str:
    """Return the id of the container that we run in, or "" where there is none or no engine says so."""
    try:
        engine = RawEngine()
        try:
            return str(find_self(engine).get("Id", ""))
        finally:
            engine.close()
    except CleanroomError:
        return ""


def main(environ: Mapping[str, str] | None = None) -> int:
    """Remove what the step left and say so; 0 in any case: the step's own result stands."""
    given = os.environ if environ is None else environ
    commands = Commands(_write)
    try:
        removed = clean_up(given.get(f"STATE_{CONTAINER}", ""))
    except CleanroomError as err:
        commands.say(f"nothing could be cleaned up: {err}")
        return 0
    commands.say(f"removed what the step had left: {', '.join(removed)}" if removed else "the step left nothing behind")
    return 0


def clean_up(step: str) -> tuple[str, ...]:
    """Remove the step's container, if it still exists and is one of ours, and whatever lost its owner."""
    removed: list[str] = []
    engine = RawEngine()
    try:
        me = str(find_self(engine).get("Id", ""))
        found = engine.inspect(step) if step and step != me else None
        # The id comes from a file that other steps can write to: only a container of our image is ours to remove.
        labels = ((found or {}).get("Config") or {}).get("Labels") or {}
        if found and labels.get(_LABEL) == "true":
            engine.remove(step)
            removed.append(str(found.get("Name", step)).lstrip("/"))
        removed += sweep(engine, this_process(me)).removed
    finally:
        engine.close()
    return tuple(removed)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
