"""A RabbitMQ node as a fault speaks to it: its own command line, inside its container."""

from __future__ import annotations

import json
from typing import Final

from cleanroom.canonical import Json
from cleanroom.drive.execute import run_exec
from cleanroom.drive.reach import Limits
from cleanroom.errors import EngineError
from cleanroom.faults.base import FaultContext
from cleanroom.quantity import Duration
from cleanroom.spec.query import ExecAction

# The command line is a virtual machine of its own, which takes seconds to start.
_LIMITS: Final = Limits(timeout=Duration(60 * 10**9))


class Node:
    """One node."""

    def __init__(self, context: FaultContext, service: str) -> None:
        self.service = service
        self._context = context

    def ctl(self, *words: str) -> str:
        """Return what `rabbitmqctl` prints; raises `EngineError` with its last words."""
        action = ExecAction(service=self.service, command=("rabbitmqctl", "--quiet", *words))
        result = run_exec(self._context.reach(), action, _LIMITS, "")
        if result.error_type:
            said = (result.stderr or result.stdout or "").strip().splitlines()
            raise EngineError(f"{self.service}: rabbitmqctl {words[0]}: {said[-1] if said else result.message}")
        return result.stdout or ""

    def status(self) -> dict[str, Json]:
        """Return the node's own status; raises `EngineError`."""
        found: Json = json.loads(self.ctl("status", "--formatter", "json"))
        if not isinstance(found, dict):
            raise EngineError(f"{self.service}: rabbitmqctl status prints no object")
        return found

    def queues(self) -> dict[str, int]:
        """Return every queue with the number of its messages; raises `EngineError`."""
        listed = json.loads(self.ctl("list_queues", "name", "messages", "--formatter", "json"))
        return {str(row["name"]): int(row["messages"]) for row in listed}
