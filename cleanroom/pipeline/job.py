"""What travels into a cell: the options of a run as text. Light: the launcher needs nothing of what runs inside."""

from __future__ import annotations

import json

from cleanroom.errors import UsageError
from cleanroom.pipeline.options import RunOptions
from cleanroom.run.codec import decode, encode

JOB = "CLEANROOM_JOB"


def encode_job(options: RunOptions) -> str:
    """Return the options as the text that `decode_job` reads."""
    return json.dumps(encode(options))


def decode_job(text: str) -> RunOptions:
    """Return the options in `text`; raises `UsageError` when they cannot be read."""
    try:
        return decode(json.loads(text), RunOptions)
    except ValueError as err:
        raise UsageError(f"the cell's job cannot be read: {err}", remedy="use the same version on both sides") from err
