"""What a service wrote to its standard output and error."""

from __future__ import annotations

from typing import TypedDict

from cleanroom.engine.ports import Engine
from cleanroom.errors import EngineError
from cleanroom.text import tail

LOG_BYTES = 256 * 1024


class Output(TypedDict):
    """What is known of a service's output: fields of its record."""

    log: str
    log_truncated: bool
    log_unread: bool


def read_output(engine: Engine, container: str) -> Output:
    """Return the end of a container's output; an output that cannot be read says why, and that nothing is known."""
    try:
        raw = engine.logs(container, LOG_BYTES + 1)
    except EngineError as err:
        return {"log": f"its log could not be read: {err.message}", "log_truncated": False, "log_unread": True}
    return {"log": tail(raw, LOG_BYTES), "log_truncated": len(raw) > LOG_BYTES, "log_unread": False}
