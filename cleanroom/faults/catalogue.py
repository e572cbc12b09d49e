"""The catalogue of faults as a page: what the language says of each, and what its ladder does (docs/faults.md)."""

from __future__ import annotations

from collections.abc import Iterator

from cleanroom.faults.ladder import LADDERS
from cleanroom.faults.rung import Ladder, Rung
from cleanroom.spec.shapes.fault_kind import Kind
from cleanroom.spec.shapes.fault_table import FAULTS

_INTRODUCTION = """\
# Faults

Made from the tables that the program itself works by (`make docs`); a test compares the two. A fault is injected by
the first rung of its ladder that this machine has and that can do what is asked; one that cannot is refused with its
reason, never replaced by something weaker. `backend:` pins a rung. `cleanroom doctor` says of each fault which rung it
takes on a machine, why none above it, and what to do for that; `cleanroom doctor --probe` proves it by a real injection
into throw-away containers. Evidence is measured from outside the system under test; without it a fault is
*inconclusive*, and so is what leans on it. What was seen of each fault in a real run stands in
[fault-evidence.md](fault-evidence.md).
"""


def render_catalogue() -> str:
    """Return the page as Markdown; every fault of the language is on it, in the order of spec.md."""
    ladders = {ladder.kind: ladder for ladder in LADDERS}
    lines = [_INTRODUCTION]
    family = ""
    for kind, known in FAULTS.items():
        if kind.partition(".")[0] != family:
            family = kind.partition(".")[0]
            lines.append(f"## {family}\n")
        lines += _fault(kind, known, ladders.get(kind))
    return "\n".join(lines).rstrip() + "\n"


def _fault(kind: str, known: Kind, ladder: Ladder | None) -> Iterator[str]:
    yield f"### {kind}\n"
    yield f"{known.doc}{' It happens at an instant and has no window.' if known.instant else ''}\n"
    if known.parameters:
        yield "| parameter | meaning | default |"
        yield "|---|---|---|"
        for name, key in known.parameters.items():
            needed = "required" if name in known.required else "one of these" if name in known.exactly_one else ""
            yield f"| `{name}` | {_cell(key.doc)} | {f'`{key.default}`' if key.default else needed} |"
        yield ""
    if ladder is None:
        yield "It is made of other faults, each with its own ladder.\n" if known.available else "Not available yet.\n"
        return
    yield "| rung | mechanism | needs | evidence |"
    yield "|---|---|---|---|"
    for rung in ladder.rungs:
        yield _rung(rung)
    yield ""


def _rung(rung: Rung) -> str:
    cells = (f"`{rung.name}`", rung.mechanism, ", ".join(rung.needs), rung.proof)
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
