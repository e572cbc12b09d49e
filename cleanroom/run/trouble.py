"""Errors as values: what kept something from being judged."""

from __future__ import annotations

import traceback

from cleanroom.errors import CleanroomError, ExitCode
from cleanroom.run.record import Trouble
from cleanroom.spec.source import NOWHERE, Position

_FRAMES = 6


def trouble_of(err: Exception, at: Position = NOWHERE) -> Trouble:
    """Return `err` as trouble; one that is not ours is a defect of this program and says where it came from.

    A defect must end in a report and a clean engine like everything else: the promise is not kept by a traceback.
    """
    if isinstance(err, CleanroomError):
        return Trouble(exit_code=int(err.exit_code), message=err.message, remedy=err.remedy, at=at)
    frames = traceback.extract_tb(err.__traceback__)[-_FRAMES:]
    where = "\n".join(f"  {f.filename.rpartition('cleanroom/')[2]}:{f.lineno} in {f.name}" for f in frames)
    return Trouble(
        exit_code=int(ExitCode.ENGINE),
        message=f"a defect in cleanroom: {type(err).__name__}: {err}\n{where}",
        remedy="please report it with these lines",
        at=at,
    )
