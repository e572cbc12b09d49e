"""Changes between two runs or traces, as text and as JSON."""

from __future__ import annotations

from cleanroom.canonical import Json
from cleanroom.report.json_report import dump
from cleanroom.text import one_line, relay
from cleanroom.trace.comparison import RISKS, Change

SCHEMA = "cleanroom.diff/1"
_WIDTH = 300
_MOST = 200


def changes_text(changes: tuple[Change, ...]) -> str:
    """Return a line for each change, the gravest first, safe to print; the last line counts them."""
    lines = [_line(change) for change in changes[:_MOST]]
    lines += [f"and {len(changes) - _MOST} more: --format json has all"] if len(changes) > _MOST else []
    counts = [(risk, sum(1 for change in changes if change.risk == risk)) for risk in RISKS]
    told = ", ".join(f"{count} {risk}" for risk, count in counts if count)
    lines.append(f"{len(changes)} change{'s' if len(changes) != 1 else ''}: {told}" if changes else "no difference")
    return relay("\n".join(lines) + "\n")


def _line(change: Change) -> str:
    where = f"{one_line(change.path, _WIDTH)}{' ' if change.path else ''}{one_line(change.attribute)}".strip()
    values = f"{one_line(change.left) or '(empty)'} → {one_line(change.right) or '(empty)'}"
    return f"{change.risk:<6} {one_line(change.kind):<12} {where}{': ' if where else ''}{values}"


def changes_json(changes: tuple[Change, ...]) -> str:
    """Return all changes as JSON."""
    every: list[Json] = [
        {
            "risk": c.risk,
            "kind": c.kind,
            "path": c.path,
            "attribute": c.attribute,
            "left": c.left,
            "right": c.right,
        }
        for c in changes
    ]
    return dump({"schema": SCHEMA, "differ": bool(changes), "changes": every})
