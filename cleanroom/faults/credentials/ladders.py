"""The rungs of the family credentials."""

from __future__ import annotations

from cleanroom.faults import needs
from cleanroom.faults.base import ActiveFault, FaultContext
from cleanroom.faults.credentials.rotate import RotatedPassword
from cleanroom.faults.each import open_each
from cleanroom.faults.rung import Ladder, Rung
from cleanroom.plan.model import FaultEvent


def _open(event: FaultEvent, context: FaultContext) -> ActiveFault:
    return open_each(event, context, "sql", RotatedPassword)


LADDERS: tuple[Ladder, ...] = (
    Ladder(
        kind="credentials.rotate",
        rungs=(
            Rung(
                name="sql", mechanism="ALTER USER, and the server's own digest of the old password put back",
                needs=(needs.SQL, needs.PASSWORDS),
                proof="the new password opens the door, the old one does not",
            ),
        ),
        open=_open,
    ),
)  # fmt: skip
