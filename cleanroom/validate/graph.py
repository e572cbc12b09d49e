"""`expect.graph`: which span is the direct parent of which (spec.md section 6)."""

from __future__ import annotations

from collections.abc import Iterable

from cleanroom.spec.expect import EdgeExpectation
from cleanroom.validate import wording
from cleanroom.validate.conditions import parent_breach
from cleanroom.validate.evidence import remedy
from cleanroom.validate.model import Check, Finding
from cleanroom.validate.scene import Scene
from cleanroom.validate.select import named, names


def judge_edges(scene: Scene, expectations: Iterable[EdgeExpectation]) -> tuple[Check, ...]:
    """Judge every pair of `graph.edges`: at least one direct parent and child, by span id, within one trace."""
    return tuple(
        Check(
            rule="graph.edges",
            name=f'graph edge "{edge.parent}" → "{edge.child}"',
            at=edge.at,
            findings=() if edge_holds(scene, edge) else (_finding(scene, edge),),
        )
        for edge in expectations
    )


def edge_holds(scene: Scene, edge: EdgeExpectation) -> bool:
    """Whether some span that `child` names has a direct parent that `parent` names."""
    parents = (scene.parent(child) for child in named(scene, edge.child))
    return any(parent is not None and names(edge.parent, parent) for parent in parents)


def _finding(scene: Scene, edge: EdgeExpectation) -> Finding:
    parents, children = named(scene, edge.parent), named(scene, edge.child)
    needs_service = not (edge.parent.of_runner and edge.child.of_runner)
    missing = needs_service and not scene.service_spans
    return Finding(
        rule="graph.edges",
        at=edge.at,
        expected=f'a span "{edge.parent}" that is the direct parent of a span "{edge.child}"',
        found=(
            f'{wording.plural(len(parents), "span")} "{edge.parent}", {wording.plural(len(children), "span")} '
            f'"{edge.child}", and none of the one is the parent of one of the other'
        ),
        near_misses=tuple(
            f"{wording.label(child)}: {parent_breach(scene, edge.parent, child)}"
            for child in children[: wording.MAX_EXAMPLES]
        ),
        span_ids=wording.ids(children or parents),
        remedy=remedy(missing=missing),
        telemetry_missing=missing,
    )
