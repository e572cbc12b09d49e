"""Whether something above a span has a wanted name, each span asked once however deep the tree is."""

from __future__ import annotations

from cleanroom.spec.expect import Pattern
from cleanroom.trace.model import Span
from cleanroom.validate.index import naming
from cleanroom.validate.scene import Scene


class Above:
    """Answers for one pattern whether a span has an ancestor that it names; a loop of parents ends at itself."""

    def __init__(self, scene: Scene, pattern: Pattern) -> None:
        self._scene = scene
        self._names = naming(pattern)
        self._known: dict[int, bool] = {}  # by identity: ids of spans can be there twice

    def __call__(self, span: Span) -> bool:
        """Whether an ancestor of `span` has the name."""
        way: list[Span] = []
        places: dict[int, int] = {}
        current: Span | None = span
        while current is not None and id(current) not in self._known:
            if id(current) in places:
                start = places[id(current)]
                self._close(way[start:])
                del way[start:]
                break
            places[id(current)] = len(way)
            way.append(current)
            current = self._scene.parent(current)
        for below in reversed(way):
            parent = self._scene.parent(below)
            self._known[id(below)] = parent is not None and (self._names(parent) or self._known[id(parent)])
        return self._known[id(span)]

    def _close(self, loop: list[Span]) -> None:
        """Note of the spans of a loop whether any other of them has the name."""
        number = sum(self._names(span) for span in loop)
        for span in loop:
            self._known[id(span)] = number > self._names(span)
