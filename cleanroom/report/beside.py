"""The two sides of a divergence, as every output tells them."""

from __future__ import annotations

from cleanroom.text import one_line
from cleanroom.trace.divergence import Divergence, Row

_WIDTH = 60


def divergence_rows(divergence: Divergence) -> tuple[Row, ...]:
    """Return what stands beside each other; of steps and verdicts, which have no spans, the two values."""
    if divergence.rows:
        return divergence.rows
    what = divergence.attribute or divergence.classification
    return (Row(what=what, left=divergence.left_value, right=divergence.right_value, differs=True),)


def divergence_heads(divergence: Divergence) -> tuple[str, str]:
    """Return the titles of the two sides; iterations count from 1."""
    return f"iteration {divergence.left + 1}", f"iteration {divergence.right + 1}"


def divergence_lines(divergence: Divergence) -> list[str]:
    """Return both sides as lines of text with aligned columns; `!` marks what differs."""
    head = f"first difference ({divergence.classification}): {one_line(divergence.path, 300)}"
    rows = [("", "", *divergence_heads(divergence))]
    for row in divergence_rows(divergence):
        one, other = (one_line(text or "nothing", _WIDTH) for text in (row.left, row.right))
        rows.append(("!" if row.differs else "", one_line(row.what, _WIDTH), one, other))
    widths = [max(len(row[column]) for row in rows) for column in (1, 2)]
    return [
        head,
        *(f"{mark:1} {what:{widths[0]}}  {one:{widths[1]}}  {other}".rstrip() for mark, what, one, other in rows),
    ]
