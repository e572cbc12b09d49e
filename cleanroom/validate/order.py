"""`expect.order`: in every group, all of the first come before all of the second (spec.md section 6)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from cleanroom.spec.runner_span import STEP
from cleanroom.spec.timing import OrderExpectation
from cleanroom.trace.model import Origin, Span
from cleanroom.validate import wording
from cleanroom.validate.model import Check, Finding
from cleanroom.validate.scene import Scene
from cleanroom.validate.select import named
from cleanroom.validate.timing import BACKWARDS, absent, broken, check, examples, lapse, ran_backwards, untimed

Key: TypeAlias = tuple[str, str]
"""What spans of one group share: a trace id, and the id of a span in it where the group is smaller than a trace."""
_ALL: Key = ("", "")
_LOST: Key = ("", "lost")
"""The key of a span of which the group cannot be known: a parent above it never arrived, or parents form a loop."""
_GROUPS = {
    "iteration": "the iteration",
    "trace": "the same trace",
    "step": "the same step",
    "parent": "the same parent",
}
_OUTSIDE = {"step": "under no step", "parent": "under no parent"}


@dataclass(slots=True)
class _Grouping:
    """All spans of both sides, by group; in no group are `outside`, and of `lost` it is not known in which."""

    groups: dict[Key, _Group] = field(default_factory=dict)
    outside: dict[int, Span] = field(default_factory=dict)
    lost: dict[int, Span] = field(default_factory=dict)


@dataclass(slots=True)
class _Group:
    """The spans of both sides that belong together, in order of start."""

    firsts: list[Span] = field(default_factory=list)
    thens: list[Span] = field(default_factory=list)

    @property
    def is_pair(self) -> bool:
        """Whether there are two different spans to compare."""
        return bool(self.firsts and self.thens) and (
            len(self.firsts) > 1 or len(self.thens) > 1 or self.firsts[0] is not self.thens[0]
        )

    def late(self, by: str) -> list[tuple[Span, Span]]:
        """Return each first that comes too late, with the second that starts before it.

        The second that starts earliest decides; a span that both patterns name is not compared with itself.
        """
        found = []
        for first in self.firsts:
            then = next((span for span in self.thens[:2] if span is not first), None)
            if then is None:
                continue
            moment = first.start_ns if by == "start" else first.end_ns
            if moment > then.start_ns or (by == "end_start" and ran_backwards(first)):
                found.append((first, then))
        return found


def judge_order(scene: Scene, expectations: Iterable[OrderExpectation]) -> tuple[Check, ...]:
    """Judge every entry of `order`."""
    return tuple(_judge_one(scene, wanted) for wanted in expectations)


def _judge_one(scene: Scene, wanted: OrderExpectation) -> Check:
    within = "" if wanted.within == "iteration" else f" within {wanted.within}"
    words = f'order "{wanted.first}" before "{wanted.then}"{within}'
    verb = "starts no later than" if wanted.by == "start" else "has ended before"
    starts = "" if wanted.by == "start" else " starts"
    expected = f'every "{wanted.first}" {verb} every "{wanted.then}" of {_GROUPS[wanted.within]}{starts}'
    missing = absent(scene, wanted, "order", expected, (wanted.first, wanted.then)) or untimed(
        scene, wanted, "order", expected, (*named(scene, wanted.first), *named(scene, wanted.then))
    )
    if missing:
        return check(wanted, "order", words, *missing)
    grouping = _grouped(scene, wanted)
    found = _findings(scene, wanted, grouping, expected)
    told = ""
    if grouping.outside and not found:
        number = wording.plural(len(grouping.outside), "span")
        told = f"{number} {_OUTSIDE[wanted.within]}: not in any group, so not compared"
    made = check(wanted, "order", words, *found)
    return Check(rule=made.rule, name=made.name, at=made.at, findings=made.findings, note=told)


def _grouped(scene: Scene, wanted: OrderExpectation) -> _Grouping:
    """Return the spans of both sides by group."""
    key_of = _keys(scene, wanted.within)
    found = _Grouping()
    for pattern, is_first in ((wanted.first, True), (wanted.then, False)):
        for span in named(scene, pattern):
            key = key_of(span)
            if key is None or key == _LOST:
                (found.lost if key else found.outside)[id(span)] = span
                continue
            group = found.groups.setdefault(key, _Group())
            (group.firsts if is_first else group.thens).append(span)
    return found


def _keys(scene: Scene, within: str) -> Callable[[Span], Key | None]:
    """Return what tells the group of a span; None: it is in none."""
    if within == "step":
        return _Steps(scene).of
    if within == "parent":
        return lambda span: (span.trace_id, span.parent_id) if span.parent_id else None
    return (lambda span: (span.trace_id, "")) if within == "trace" else (lambda _: _ALL)


class _Steps:
    """Which step of the runner's a span happened in; each span above is looked at once, however deep the trace."""

    def __init__(self, scene: Scene) -> None:
        """Know nothing of the spans of `scene` yet."""
        self._scene = scene
        self._known: dict[int, Key | None] = {}

    def of(self, span: Span) -> Key | None:
        """Return the step at or nearest above `span`, None where there is none, `_LOST` where that is not known."""
        on_the_way: dict[int, None] = {}
        current = span
        step: Key | None = _LOST
        while id(current) not in on_the_way:
            if id(current) in self._known:
                step = self._known[id(current)]
                break
            on_the_way[id(current)] = None
            if current.origin is Origin.RUNNER and current.name.startswith(STEP):
                step = (current.trace_id, current.span_id)
                break
            parent = self._scene.parent(current)
            if parent is None:
                step = _LOST if current.parent_id else None
                break
            current = parent
        self._known.update(dict.fromkeys(on_the_way, step))
        return step


def _findings(scene: Scene, wanted: OrderExpectation, grouping: _Grouping, expected: str) -> tuple[Finding, ...]:
    groups, lost = grouping.groups, tuple(grouping.lost.values())
    if not groups and not lost:
        every = (*named(scene, wanted.first), *named(scene, wanted.then))
        nothing = f'every "{wanted.first}" and "{wanted.then}" is {_OUTSIDE[wanted.within]}: nothing to compare'
        told = f"{nothing}: {examples(wording.placed(scene, span) for span in every)}"
        return (broken(wanted, "order", expected, told, every),)
    parts: list[str] = []
    spans: list[Span] = []
    late = [pair for group in groups.values() for pair in group.late(wanted.by)]
    if late:
        number = sum(len(group.firsts) for group in groups.values())
        told = examples(_told(scene, wanted, *pair) for pair in late)
        parts.append(f'{len(late)} of {wording.plural(number, "span")} "{wanted.first}" too late: {told}')
        spans += [span for pair in late for span in pair]
    lone = {key: group for key, group in groups.items() if not group.is_pair}
    if lone:
        told = examples(_lacking(scene, wanted, key, group) for key, group in lone.items())
        parts.append(f"{len(lone)} of {wording.plural(len(groups), 'group')} without a pair: {told}")
        spans += [span for group in lone.values() for span in (*group.firsts, *group.thens)]
    if lost:
        told = examples(wording.placed(scene, span) for span in lost)
        why = "a parent above never arrived, or parents form a loop"
        parts.append(f"{wording.plural(len(lost), 'span')} of which the step is not known, as {why}: {told}")
        spans += lost
    if not parts:
        return ()
    # A span that is too late for several is told once.
    once = {id(span): span for span in spans}
    return (broken(wanted, "order", expected, "; ".join(parts), once.values()),)


def _told(scene: Scene, wanted: OrderExpectation, first: Span, then: Span) -> str:
    one = wording.placed(scene, first)
    if wanted.by == "start":
        return f"{one} starts {lapse(first.start_ns - then.start_ns)} after {wording.label(then)}"
    if ran_backwards(first):
        return f"{one}: {BACKWARDS}"
    return f"{one} ends {lapse(first.end_ns - then.start_ns)} after {wording.label(then)} starts"


def _lacking(scene: Scene, wanted: OrderExpectation, key: Key, group: _Group) -> str:
    """Say what one group lacks."""
    some = (*group.firsts, *group.thens)[0]
    where = ""
    if wanted.within == "trace":
        where = f" in trace {key[0]}"
    elif wanted.within == "step":
        step = scene.trace.find(*key)
        where = f' under "{step.name if step is not None else key[1]}"'
    elif wanted.within == "parent":
        parent = scene.parent(some)
        where = f" under {wording.label(parent)}" if parent is not None else f" under {key[1]}, which never arrived"
    if group.firsts and group.thens:
        return f"both names mean {wording.placed(scene, some)}{where}, and no span comes before itself"
    lacking = wanted.then if group.firsts else wanted.first
    return f'no "{lacking}" beside {wording.placed(scene, some)}{where}'
