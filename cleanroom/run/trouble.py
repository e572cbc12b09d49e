"""Errors as values: what kept something from being judged."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from cleanroom.errors import CleanroomError, ExitCode
from cleanroom.run.record import Trouble
from cleanroom.spec.source import NOWHERE, Position

_FRAMES = 6
_PREFIX = re.compile(r"(\S[^\n:]*\.ya?ml):(\d+):(\d+): ")
"""What a message of the engine's layer begins with; a position cannot travel in an error of the foundation."""


def trouble_of(err: Exception, at: Position = NOWHERE) -> Trouble:
    """Return `err` as trouble; one that is not ours is a defect of this program and says where it came from.

    A defect must end in a report and a clean engine like everything else: the promise is not kept by a traceback.
    """
    if isinstance(err, CleanroomError):
        # The words know better than the caller; and where the position is a value they need not repeat it.
        found = _PREFIX.match(err.message)
        place = Position(found[1], int(found[2]), int(found[3])) if found else at
        message = err.message[found.end() :] if found else err.message
        return Trouble(exit_code=int(err.exit_code), message=message, remedy=err.remedy, at=place)
    frames = traceback.extract_tb(err.__traceback__)[-_FRAMES:]
    where = "\n".join(f"  {f.filename.rpartition('cleanroom/')[2]}:{f.lineno} in {f.name}" for f in frames)
    return Trouble(
        exit_code=int(ExitCode.ENGINE),
        message=f"a defect in cleanroom: {type(err).__name__}: {err}\n{where}",
        remedy="please report it with these lines",
        at=at,
    )


@contextmanager
def recorded(troubles: list[Trouble]) -> Iterator[None]:
    """Make an error of the block one more trouble: the rest of a teardown goes on."""
    try:
        yield
    except Exception as err:  # noqa: BLE001 - a defect must not leave containers behind either
        troubles.append(trouble_of(err))
