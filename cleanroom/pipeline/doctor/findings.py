"""What doctor finds, as values, as the lines that leave a cell, and as text for people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import TypeAlias

from cleanroom.faults.ladder import LADDERS

_WIDTH = max(len(ladder.kind) for ladder in LADDERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """One thing that was tried: whether it works, what was seen, and what to do where it does not."""

    name: str
    works: bool
    seen: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why one rung is not taken, and what to do for it."""

    rung: str
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """What would become of a fault here: the rung that it takes, and why none of those above it."""

    kind: str
    rung: str = ""
    """"" when there is none for it here."""
    provided: tuple[str, ...] = ()
    """What the services of a spec must have besides."""
    refusals: tuple[Refusal, ...] = ()
    parts: bool = False
    """Whether it is made of other faults, and has no rung itself."""

    @property
    def works(self) -> bool:
        """Whether the machine can do it."""
        return bool(self.rung) or self.parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One fault as it went in a throw-away container; times in milliseconds."""

    kind: str
    promised: bool
    """Whether its prospect said that it works."""
    rung: str = ""
    proven: bool = False
    """Whether both the effect and its end were."""
    reason: str = ""
    inject_ms: int = 0
    verify_ms: int = 0
    revert_ms: int = 0

    @property
    def works(self) -> bool:
        """Whether it was proven."""
        return self.proven


LEFT = "left behind"
"""The diagnosis, after all trials, of what there is that was not there before."""
Finding: TypeAlias = Diagnosis | Prospect | Trial


def encode(finding: Finding) -> str:
    """Return a finding as one line."""
    return json.dumps({type(finding).__name__: asdict(finding)}) + "\n"


def decode(line: str) -> Finding:
    """Return the finding of a line; raises `ValueError` for anything else."""
    try:
        ((name, values),) = json.loads(line).items()
        if name == "Prospect":
            refusals = tuple(Refusal(**refusal) for refusal in values.pop("refusals"))
            return Prospect(**{**values, "provided": tuple(values["provided"])}, refusals=refusals)
        return {"Diagnosis": Diagnosis, "Trial": Trial}[name](**values)  # type: ignore[no-any-return]
    except (AttributeError, KeyError, TypeError) as err:
        raise ValueError(f"not a finding: {line[:200]!r}") from err


def render(found: Iterable[Finding]) -> str:
    """Return findings for people, families of faults apart."""
    words = Words()
    return "".join(words.of(one) for one in found)


class Words:
    """Findings in words, one after another, with a heading where another kind of them begins."""

    def __init__(self) -> None:
        self._heading = ""

    def of(self, finding: Finding) -> str:
        """Return the lines of a finding."""
        match finding:
            case Diagnosis():
                return "".join(_diagnosis(finding))
            case Prospect():
                return self._under(finding.kind.partition(".")[0], _prospect(finding))
            case Trial():
                return self._under("proven in throw-away containers", _trial(finding))

    def _under(self, heading: str, lines: Iterator[str]) -> str:
        begins, self._heading = heading != self._heading, heading
        return (f"{heading}\n" if begins else "") + "".join(lines)


def _diagnosis(one: Diagnosis) -> Iterator[str]:
    yield f"{'ok ' if one.works else 'no '} {one.name:<{_WIDTH}}  {one.seen}".rstrip() + "\n"
    if not one.works and one.remedy:
        yield f"    {'':<{_WIDTH}}  → {one.remedy}\n"


def _prospect(one: Prospect) -> Iterator[str]:
    rung = "made of other faults" if one.parts else one.rung or "no rung"
    asked = f"; it takes {' and '.join(one.provided)}" if one.rung and one.provided else ""
    yield f"{'ok ' if one.works else 'no '} {one.kind:<{_WIDTH}}  {rung}{asked}\n"
    for refusal in one.refusals:
        yield f"    {'':<{_WIDTH}}  not {refusal.rung}: {refusal.reason}\n"
        yield f"    {'':<{_WIDTH}}  → {refusal.remedy}\n"


def _trial(one: Trial) -> Iterator[str]:
    times = f"injected {one.inject_ms} ms, verified {one.verify_ms} ms, reverted {one.revert_ms} ms"
    said = f"{one.rung}  {times}" if one.proven else f"{one.rung or 'no rung'}  not proven: {one.reason}"
    yield f"{'ok ' if one.proven else 'no '} {one.kind:<{_WIDTH}}  {said}\n"
