"""Python's collector of cycles, held while very many values are made that have none."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Suspend the collection of cycles; what has none is freed as ever.

    It walks over all values again and again while their number grows: a third of the time of decoding a large trace,
    which is made of trees. Threads do not get in each other's way: who found the collector off leaves it so, and who
    turned it off turns it on again.
    """
    held = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if held:
            gc.enable()
