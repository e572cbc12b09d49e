"""How targets come back after a destructive fault: started where they are dead, and waited for until they are ready."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal, TypeAlias

from cleanroom.errors import CleanroomError
from cleanroom.faults.base import FaultContext, Recovery

Strategy: TypeAlias = Literal["policy", "start", "heal", "failover"]
_TOGETHER = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Back:
    """How one target came back: when it was ready on the monotonic clock, or why it never was."""

    target: str
    ready: float | None = None
    trouble: str = ""


def bring_back(context: FaultContext, target: str) -> Back:
    """Start the target unless it runs, and wait until it is ready, for `ready_timeout` at most; raises nothing."""
    try:
        context.revive(target)
    except CleanroomError as err:
        return Back(target=target, trouble=err.message or f"{target} did not become ready")
    return Back(target=target, ready=context.clock.monotonic())


def recover(context: FaultContext, targets: Sequence[str], since: float, strategy: Strategy) -> Recovery:
    """Wait until every target runs and is ready, all at once; the time counts from `since` to the last one.

    `since` is the monotonic instant (`context.clock`) of the fault's end, or of the death. Call it right after the
    reversal. One that does not come back within its `ready_timeout` is a failed recovery with its reason; raises
    nothing of ours.
    """
    with ThreadPoolExecutor(min(_TOGETHER, max(1, len(targets))), thread_name_prefix="recovery") as pool:
        found = list(pool.map(lambda target: bring_back(context, target), targets))
    missing = [back for back in found if back.ready is None]
    end = context.clock.monotonic() if missing else max((b.ready for b in found if b.ready is not None), default=since)
    return Recovery(
        strategy=strategy, duration_ns=max(0, round((end - since) * 10**9)), success=not missing,
        reason="; ".join(back.trouble for back in missing),
    )  # fmt: skip
