"""`reconcile`, `holds`, `single_leader`: what must hold of answers themselves."""

from __future__ import annotations

from cleanroom.canonical import Json
from cleanroom.drive.answer import Answer
from cleanroom.run.record import LeaderRecord
from cleanroom.spec.invariant import SingleLeaderInvariant
from cleanroom.validate.invariants.content import QUERY_REMEDY, Breach, briefly, content, key, nothing, unusable

_SIDES = 2
_SHOWN = 3


def judge_reconcile(answers: tuple[Answer, ...]) -> tuple[Breach, ...]:
    """Judge that two answers are equal; columns may have other names, and text that spells a number is that number."""
    if len(answers) != _SIDES:
        return (Breach(expected="two answers", found="they were never asked"),)
    left, right = answers
    for answer, of in ((left, "the left query"), (right, "the right query")):
        if (broken := unusable(answer, of=of)) is not None:
            return (broken,)
    ours, theirs = content(left), content(right)
    if nothing(ours) and nothing(theirs):
        return (Breach(expected="something to compare", found="both queries found nothing", remedy=QUERY_REMEDY),)
    if _comparable(ours) == _comparable(theirs):
        return ()
    return (Breach(expected=f"{briefly(ours)} ({left.question})", found=f"{briefly(theirs)} ({right.question})"),)


def _comparable(found: Json) -> object:
    if isinstance(found, list):
        return [[key(v) for v in item.values()] if isinstance(item, dict) else [key(item)] for item in found]
    return key(found)


def judge_holds(answers: tuple[Answer, ...]) -> tuple[Breach, ...]:
    """Judge that the probe held in the end."""
    if not answers:
        return (Breach(expected="an answer in the end", found="it was never asked"),)
    answer = answers[0]
    return () if answer.ok else (Breach(expected=f"{answer.question} holds", found=answer.why),)


def judge_leaders(check: SingleLeaderInvariant, leaders: LeaderRecord | None) -> tuple[Breach, ...]:
    """Judge that never too many led; that nobody ever did is no evidence and breaks it."""
    wanted = f"at most {check.at_most} at any time that leads"
    if leaders is None or not leaders.rounds:
        return (Breach(expected=wanted, found="nobody was ever asked"),)
    if not leaders.led:
        found = f"nobody led in {leaders.rounds} rounds"
        return (Breach(expected=wanted, found=found, remedy="correct the probe: it succeeds where a replica leads"),)
    if leaders.most <= check.at_most:
        return ()
    shown = "; ".join(f"at {when} ns {', '.join(who)}" for when, who in leaders.crowded[:_SHOWN])
    return (Breach(expected=wanted, found=f"{leaders.most} led at once: {shown}"),)
