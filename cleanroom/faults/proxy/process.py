"""The proxy's process as its parent sees it: started in a container's network, given orders, ended with its input."""

from __future__ import annotations

import contextlib
import json
import select
import subprocess

from cleanroom.canonical import Json
from cleanroom.engine.child import child_environment, child_python
from cleanroom.errors import CapabilityError, EngineError
from cleanroom.faults.proxy.claim import Inside
from cleanroom.faults.proxy.job import Job

_START_TIMEOUT = 20.0
_ANSWER_TIMEOUT = 10.0
_END_TIMEOUT = 10.0


class ProxyProcess:
    """One proxy; `port` is where it listens."""

    def __init__(self, place: Inside, job: Job) -> None:
        """Start it; raises `CapabilityError` when it cannot listen there."""
        self._process = place.do(lambda: _spawn(json.dumps(job.written())))
        answer = self._line(_START_TIMEOUT)
        port = answer.get("port")
        if not isinstance(port, int):
            self.end()
            raise CapabilityError(f"backend proxy: {answer.get('error', 'the proxy did not start')}")
        self.port = port

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @property
    def code(self) -> int | None:
        """How it ended."""
        return self._process.poll()

    def start(self) -> None:
        """Let it take connections; raises `EngineError` when it does not answer."""
        self._order({"do": "start"}, "accepting")

    def expect(self, address: str, port: int) -> None:
        """Tell it that the next connection from there is a trial of ours; raises `EngineError`."""
        self._order({"do": "trial", "peer": [address, port]}, "expecting")

    def end(self) -> dict[str, Json]:
        """End it by ending its input; return its figures, none when it had to be killed or was dead."""
        out = ""
        try:
            out, _ = self._process.communicate(timeout=_END_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):  # it is dead; a pipe that stays open is not ours
                self._process.communicate(timeout=_END_TIMEOUT)
        except ValueError:
            return {}  # ended before: its pipes are closed
        lines = [line for line in out.splitlines() if line.startswith('{"connections"')]
        figures: dict[str, Json] = json.loads(lines[-1]) if lines else {}
        return figures

    def _order(self, order: dict[str, Json], answered: str) -> None:
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        try:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
        except (OSError, ValueError) as err:
            raise EngineError(f"the proxy ended early ({self._process.poll()})") from err
        answer = self._line(_ANSWER_TIMEOUT)
        if answered not in answer:
            raise EngineError(str(answer.get("error", f"the proxy did not do as told: {answer}")))

    def _line(self, timeout: float) -> dict[str, Json]:
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        ready, _, _ = select.select([self._process.stdout], [], [], timeout)
        line = self._process.stdout.readline() if ready else ""
        if line:
            answer: dict[str, Json] = json.loads(line)
            return answer
        if ready and self._process.stderr is not None:
            last = self._process.stderr.read().strip().splitlines()[-1:]
            return {"error": f"the proxy died: {last[0] if last else 'without a word'}"}
        return {"error": f"the proxy said nothing within {timeout:g}s"}


def _spawn(job: str) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            [*child_python(), "-m", "cleanroom.faults.proxy.worker", job],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            cwd="/", env=child_environment({}), start_new_session=True,
        )  # fmt: skip
    except OSError as err:
        raise EngineError(f"the proxy cannot be started: {err}") from err
