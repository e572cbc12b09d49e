"""Where a span stands in its trace, as text."""

from __future__ import annotations

from cleanroom.trace.model import Span, Trace

SEPARATOR = " > "
_ELLIPSIS = "…"
_MAX_NAMES = 32  # a path is read by people; a deeper one keeps its root-most gap as an ellipsis


def span_path(trace: Trace, span: Span) -> str:
    """Return the names from the root to `span`, e.g. `cleanroom.step:place > GET /orders > INSERT orders`.

    An orphan's path begins at the orphan; a path of more than 32 names (or a cycle of parents) begins with an ellipsis.
    """
    names = [span.name]
    parent = trace.parent(span)
    while parent is not None and len(names) < _MAX_NAMES:
        names.append(parent.name)
        parent = trace.parent(parent)
    if parent is not None:
        names.append(_ELLIPSIS)
    return SEPARATOR.join(reversed(names))
