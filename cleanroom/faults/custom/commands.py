"""`custom(inject, verify, revert)`: three commands of the user's, held to the same standard as our own faults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cleanroom.canonical import Json
from cleanroom.drive.execute import run_exec
from cleanroom.drive.reach import Limits
from cleanroom.drive.result import ActionResult
from cleanroom.errors import CapabilityError, EngineError
from cleanroom.faults.base import Evidence, FaultContext, Recovery
from cleanroom.plan.model import FaultEvent
from cleanroom.quantity import Duration
from cleanroom.spec.query import ExecAction

_LIMITS: Final = Limits(timeout=Duration(30 * 10**9))
_PLAIN = "exit_code"


@dataclass(frozen=True, slots=True)
class _Told:
    """What the command of the proof said: whether the effect is there; `trouble` when it could not say."""

    there: bool
    code: int | None
    trouble: str = ""


class Commands:
    """The three commands; the proof must deny the effect before the injection, or it would prove nothing."""

    backend = "exec"

    def __init__(self, event: FaultEvent, context: FaultContext) -> None:
        self._context = context
        self._inject = _exec(event, "inject")
        self._revert = _exec(event, "revert")
        proof = event.parameters["verify"]
        self._proof = proof if isinstance(proof, ExecAction) else None
        self._before: _Told | None = None
        self._begun = False

    def _run(self, action: ExecAction) -> ActionResult:
        return run_exec(self._context.reach(), action, _LIMITS, "")

    def _told(self) -> _Told | None:
        """Return what the proof says now; None where the spec has none."""
        if self._proof is None:
            return None
        result = self._run(self._proof)
        # Another error than its own exit code says nothing of the effect: it was not found, it hung, nobody was there.
        trouble = "" if result.error_type in ("", _PLAIN) else result.message
        return _Told(not result.error_type, result.exit_code, trouble)

    def inject(self) -> None:
        """Ask the proof, then run the command; raises `EngineError` when it does not exit with 0."""
        self._before = self._told()
        self._begun = True
        result = self._run(self._inject)
        if result.error_type:
            raise EngineError(f"the command that injects it failed: {_words(result)}")

    def verify(self) -> Evidence:
        """Hold when the proof exits with 0, and did not before the injection."""
        now = self._told()
        if now is None or self._before is None:
            return Evidence(holds=False, reason="the spec has no command that proves its effect")
        facts: dict[str, Json] = {"proof_before": self._before.code, "proof_during": now.code}
        if self._before.there:
            reason = "its proof exits with 0 without the fault too, so it proves nothing"
        elif self._before.trouble or now.trouble:
            reason = f"its proof could not be run: {self._before.trouble or now.trouble}"
        else:
            reason = "" if now.there else f"its proof exited with {now.code}"
        return Evidence(holds=not reason, facts=facts, reason=reason)

    def revert(self) -> None:
        """Run the command that takes it away; raises `EngineError` when it does not exit with 0."""
        if not self._begun:
            return
        result = self._run(self._revert)
        if result.error_type:
            raise EngineError(f"the command that reverts it failed: {_words(result)}")
        self._begun = False

    def verify_reversal(self) -> Evidence:
        """Hold when the proof denies the effect again; where there is none, the command's own word is all there is."""
        now = self._told()
        if now is None:
            return Evidence(holds=True)
        reason = f"its proof could not be run: {now.trouble}" if now.trouble else ""
        reason = reason or ("its proof still exits with 0" if now.there else "")
        return Evidence(holds=not reason, facts={"proof_after": now.code}, reason=reason)

    def recovery(self) -> Recovery | None:
        """Nothing is known of what it does."""
        return None


def _words(result: ActionResult) -> str:
    said = (result.stderr or result.stdout or "").strip().splitlines()
    return f"{result.message}: {said[-1]}" if said else result.message


def _exec(event: FaultEvent, name: str) -> ExecAction:
    action = event.parameters[name]
    assert isinstance(action, ExecAction)  # noqa: S101 - the shape of the parameter
    return action


def open_custom(event: FaultEvent, context: FaultContext) -> Commands:
    """Return the fault; raises `CapabilityError` for a backend that it does not have."""
    if event.fault.backend not in ("auto", "exec"):
        raise CapabilityError(f"custom has no backend {event.fault.backend!r}", remedy="use auto or exec")
    return Commands(event, context)
