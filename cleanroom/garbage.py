"""Python's collector of cycles, held while very many values are made that have none."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_MANY = 50_000
"""New values; fewer are looked at in milliseconds, and without cycles that nobody collects."""


@contextmanager
def uncollected() -> Iterator[None]:
    """Suspend the collection of cycles; what has none is freed as ever.

    It walks over all values again and again while their number grows: a third of the time of decoding a large trace,
    which is made of trees. Threads do not get in each other's way: who found the collector off leaves it so, and who
    turned it off turns it on again. Very many new values then count as old ones: the collector's next look at what is
    new, of which nearly all stays, would take as long as was won. They are looked at whenever all values are.
    """
    held = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if held:
            if gc.get_count()[0] > _MANY and not gc.get_freeze_count():
                gc.freeze()
                gc.unfreeze()  # to the oldest generation; neither looks at a value
            gc.enable()
