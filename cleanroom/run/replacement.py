"""What is kept of containers that a fault replaced: what they had said and how often they had come back still count."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from cleanroom.drive.reach import Container
from cleanroom.engine.ports import Engine
from cleanroom.run.output import LOG_BYTES, Output, read_output
from cleanroom.text import tail


class Replacements:
    """The containers that stood in the place of a service before the present one."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._outputs: dict[str, list[Output]] = {}
        self._restarts: dict[str, int] = {}
        self.names: set[str] = set()
        """Under which names containers that are on their way out may exist."""
        self.containers: set[str] = set()
        """Their ids: no process of theirs may be left either."""

    def leaves(self, service: str, container: str) -> None:
        """Note what the service's container leaves, just before it is removed; raises `EngineError`."""
        state = self._engine.inspect(container)
        self._restarts[service] = self.restarts(service) + state.restart_count
        self._outputs.setdefault(service, []).append(read_output(self._engine, container))
        self.names.add(f"{state.name}-old")
        self.containers.add(state.id)

    def restarts(self, service: str) -> int:
        """Return how often restart policies had brought the earlier containers back."""
        return self._restarts.get(service, 0)

    def output(self, service: str, last: Output) -> Output:
        """Return the output of all of a service's containers in order, `last` being that of the present one."""
        outputs = (*self._outputs.get(service, ()), last)
        if len(outputs) == 1:
            return last
        whole = "".join(
            one["log"] if one["log"].endswith("\n") or not one["log"] else f"{one['log']}\n" for one in outputs
        )
        kept = tail(whole.encode(), LOG_BYTES)
        return {
            "log": kept,
            "log_truncated": len(kept) < len(whole) or any(one["log_truncated"] for one in outputs),
            "log_unread": any(one["log_unread"] for one in outputs),
        }


class Services(Mapping[str, Container]):
    """The services of an environment, each as it is at the moment it is asked for."""

    def __init__(self, now: Callable[[], Mapping[str, Container]]) -> None:
        self._now = now

    def __getitem__(self, name: str) -> Container:
        return self._now()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._now())
