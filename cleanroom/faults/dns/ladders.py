"""The rungs of the family dns."""

from __future__ import annotations

from cleanroom.faults.dns import names

LADDERS = names.LADDERS
