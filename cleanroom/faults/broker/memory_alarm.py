"""`broker.memory_alarm`: the node believes that its memory is short, and holds publishers back."""

from __future__ import annotations

from typing import Final

from cleanroom.canonical import Json
from cleanroom.clock import Deadline
from cleanroom.errors import EngineError
from cleanroom.faults.base import Evidence, FaultContext
from cleanroom.faults.broker.node import Node

# A byte is always exceeded; 0 would hold back publishers without an alarm that can be seen.
_NOTHING: Final = ("absolute", "1")
_PATIENCE: Final = 15.0
_SETTING = "vm_memory_high_watermark_setting"


class MemoryAlarm:
    """One node."""

    def __init__(self, context: FaultContext, target: str) -> None:
        self.target = target
        self._node = Node(context, target)
        self._clock = context.clock
        self._before: tuple[str, ...] = ()
        self._mark: tuple[str, ...] = ()
        """What it had before the fault."""
        self._foreign = False
        self._lapsed = ""

    def _alarmed(self) -> bool:
        alarms = self._node.status().get("alarms")
        return isinstance(alarms, list) and any("memory" in str(alarm) for alarm in alarms)

    def _becomes(self, *, wanted: bool) -> bool:
        deadline = Deadline.after(self._clock, _PATIENCE)
        while (found := self._alarmed()) is not wanted and not deadline.expired():
            self._clock.sleep(0.1)
        return found is wanted

    def inject(self) -> None:
        """Lower the mark; raises `EngineError` where the alarm is on already."""
        status = self._node.status()
        self._foreign = bool(status.get("alarms"))
        if self._foreign:
            raise EngineError(f"{self.target} has an alarm already: {status['alarms']}")
        self._before = self._mark = _words_of(status.get(_SETTING))
        if not self._before:
            raise EngineError(f"{self.target} does not tell its mark, so it could not be put back: {_SETTING}")
        self._node.ctl("set_vm_memory_high_watermark", *_NOTHING)

    def verify(self) -> Evidence:
        """Hold when the node says that the alarm is on."""
        on = self._becomes(wanted=True)
        return Evidence(holds=on, facts={"alarm": on}, reason="" if on else "the node raised no alarm")

    def revert(self) -> None:
        """Give it its own mark back."""
        if not self._before:
            return
        self._lapsed = "" if self._alarmed() else "the alarm was off before the fault's end"
        self._node.ctl("set_vm_memory_high_watermark", *self._before)
        self._before = ()

    def verify_reversal(self) -> Evidence:
        """Hold when the alarm is off; an alarm of somebody else's is not ours to judge."""
        if self._foreign:
            return Evidence(holds=True, facts={"alarm_after": True})
        off = self._becomes(wanted=False)
        now = _words_of(self._node.status().get(_SETTING)) if self._mark else ()
        reason = "" if off else "the alarm is still on"
        reason = reason or ("" if now == self._mark else f"its mark is {' '.join(now)}, not {' '.join(self._mark)}")
        facts: dict[str, Json] = {"alarm_after": not off, "mark_after": " ".join(now)}
        return Evidence(holds=not reason, facts=facts, reason=reason, lapsed=self._lapsed)


def _words_of(setting: Json) -> tuple[str, ...]:
    """Return the words that set the mark as it is: a share, or `absolute` and bytes; none where it cannot be read."""
    if isinstance(setting, dict):
        known = [(kind, value) for kind, value in setting.items() if kind in ("absolute", "relative")]
        if len(known) != 1:
            return ()
        (kind, value), *_ = known
        return ("absolute", str(value)) if kind == "absolute" else (str(value),)
    numeric = isinstance(setting, int | float) and not isinstance(setting, bool)
    return (str(setting),) if numeric else ()
