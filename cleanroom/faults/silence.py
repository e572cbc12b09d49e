"""Which containers a fault may keep from answering now: what is measured there says nothing of another fault."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable

_silenced: Counter[str] = Counter()
_changing = threading.Lock()


class Silence:
    """The containers that one fault may silence, from `begin` to `end`."""

    def __init__(self) -> None:
        self._containers: tuple[str, ...] = ()

    def begin(self, containers: Iterable[str]) -> None:
        """Say that these (ids) may not answer from now on."""
        with _changing:
            self._containers = tuple(containers)
            _silenced.update(self._containers)

    def end(self) -> None:
        """Say that they are to answer again; safe to call twice."""
        with _changing:
            _silenced.subtract(self._containers)
            self._containers = ()


def silenced(container: str) -> bool:
    """Whether some fault may keep this container (id) from answering."""
    with _changing:
        return _silenced[container] > 0
