"""`broker.delete_queue(queue)`: a queue is deleted with all that is in it."""

from __future__ import annotations

from cleanroom.canonical import Json
from cleanroom.errors import EngineError
from cleanroom.faults.base import Evidence, FaultContext
from cleanroom.faults.broker.node import Node
from cleanroom.plan.model import FaultEvent


class DeletedQueue:
    """One queue of one node."""

    def __init__(self, event: FaultEvent, context: FaultContext, target: str) -> None:
        self.target = target
        self._node = Node(context, target)
        self._queue = str(event.parameters["queue"])
        self._messages: int | None = None

    def inject(self) -> None:
        """Delete it; raises `EngineError` where there is no such queue."""
        self._messages = self._node.queues().get(self._queue)
        if self._messages is None:
            raise EngineError(f"{self.target} has no queue {self._queue!r}")
        self._node.ctl("delete_queue", self._queue)

    def verify(self) -> Evidence:
        """Hold when the node does not list it any more; a client that declares it anew at once has it empty."""
        left = self._node.queues().get(self._queue)
        facts: dict[str, Json] = {"messages_before": self._messages, "messages_after": left}
        gone = self._messages is not None and (left is None or left < self._messages)
        return Evidence(holds=gone, facts=facts, reason="" if gone else f"queue {self._queue!r} is still there")

    def revert(self) -> None:
        """Nothing: what was in it is gone."""

    def verify_reversal(self) -> Evidence:
        """Hold always."""
        return Evidence(holds=True)
