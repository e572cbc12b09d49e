"""The predecessor's steps and scenarios as ours."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cleanroom.spec.clnrm.report import Findings
from cleanroom.spec.clnrm.services import SHELL, service_name

_TEMPLATE = re.compile(r"\{\{\s*(?:vars\.)?([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
_ASSERTS = {
    "exit_code": ("exit_code", ""),
    "stdout_contains": ("stdout", "contains"),
    "stdout_not_contains": ("stdout", "not_contains"),
    "stdout_regex": ("stdout", "matches"),
    "stderr_contains": ("stderr", "contains"),
}


@dataclass(slots=True)
class Steps:
    """Makes steps; knows which services there are, and whether one is needed for steps that name none."""

    services: frozenset[str]
    variables: Mapping[str, Any]
    findings: Findings
    needs_shell: bool = False
    _names: dict[str, int] = field(default_factory=dict)

    def steps(self, value: Any, here: str) -> list[dict[str, Any]]:  # noqa: ANN401 -- as TOML has it
        """Return the steps of a list of tables."""
        self._names = {}
        made = []
        for number, table in enumerate(value if isinstance(value, list) else []):
            if isinstance(table, Mapping):
                step = self._step(table, f"{here}[{number}]")
                made += [step] if step else []
            else:
                self.findings.not_taken(f"{here}[{number}]", "it is no table")
        return made

    def scenario(self, table: Mapping[str, Any], number: int) -> dict[str, Any] | None:
        """Return a scenario, or None when nothing in it can run."""
        here = f"scenario[{number}]"
        name = _one_line(table.get("name")) or f"scenario {number + 1}"
        run = table.get("run")
        steps = self._run(run, table, here, name) if isinstance(run, str) else []
        steps += self.steps(table.get("steps", []), f"{here}.steps")
        if isinstance(table.get("steps"), list):
            self.findings.never(f"{here}.steps", "run executed only `run` of a scenario")
        if "artifacts" in table:
            self.findings.changed(f"{here}.artifacts", "spans are always received, over OTLP and not from the output")
        for key in table:
            if key not in ("name", "service", "run", "steps", "artifacts", "description") or (
                key == "run" and not isinstance(run, str)
            ):
                self.findings.ignored(f"{here}.{key}", "there is nothing like it")
        return {"name": name, "steps": steps} if steps else None

    def _run(self, run: str, table: Mapping[str, Any], here: str, name: str) -> list[dict[str, Any]]:
        try:
            command = shlex.split(self._filled(run))
        except ValueError as err:
            self.findings.not_taken(f"{here}.run", f"it cannot be split into words: {err}")
            return []
        if not command:
            self.findings.not_taken(f"{here}.run", "it is empty")
            return []
        service = self._service(table.get("service"), f"{here}.service")
        return [{"name": self._unique(name), "exec": {"service": service, "command": command}}]

    def _step(self, table: Mapping[str, Any], here: str) -> dict[str, Any] | None:
        command = table.get("command", table.get("exec"))
        if not isinstance(command, list) or not command or not all(isinstance(word, str) for word in command):
            self.findings.not_taken(here, "it has no command")
            return None
        wanted = table.get("service", table.get("container"))
        action: dict[str, Any] = {
            "service": self._service(wanted, f"{here}.service"),
            "command": [self._filled(word) for word in command],
        }
        variables = table.get("env")
        if isinstance(variables, Mapping) and variables:
            action["env"] = {key: str(value) for key, value in variables.items()}
            self.findings.never(f"{here}.env", "the command ran without it")
        folder = table.get("workdir")
        if isinstance(folder, str) and folder:
            action["working_dir"] = folder
            self.findings.never(f"{here}.workdir", "the command ran without it")
        step: dict[str, Any] = {"name": self._unique(_one_line(table.get("name")) or "step"), "exec": action}
        expect = self._expect(table, here)
        if expect:
            step["expect"] = expect
        if table.get("continue_on_failure") is True:
            step["continue_on_failure"] = True
            self.findings.never(f"{here}.continue_on_failure", "a failing step always ended the run")
        taken = {"name", "command", "exec", "service", "container", "env", "workdir", "expected_output_regex"}
        taken |= {"expected_exit_code", "continue_on_failure", "assert"}
        for key in table:
            if key not in taken:
                self.findings.ignored(f"{here}.{key}", "there is nothing like it, or it is written another way")
        return step

    def _expect(self, table: Mapping[str, Any], here: str) -> dict[str, Any]:
        made: dict[str, Any] = {}
        pattern = table.get("expected_output_regex")
        if isinstance(pattern, str) and pattern and self._compiles(pattern, f"{here}.expected_output_regex"):
            made["stdout"] = {"matches": pattern}
        code = table.get("expected_exit_code")
        if isinstance(code, int) and not isinstance(code, bool):
            made["exit_code"] = code
            self.findings.never(f"{here}.expected_exit_code", "any code but 0 was a failure")
        for key, value in table["assert"].items() if isinstance(table.get("assert"), Mapping) else ():
            ours, comparator = _ASSERTS.get(key, ("", ""))
            if ours == "exit_code" and isinstance(value, int):
                made["exit_code"] = value
            elif comparator == "matches" and not self._compiles(value, f"{here}.assert.{key}"):
                continue
            elif comparator and isinstance(value, str) and value:
                made[ours] = {**made.get(ours, {}), comparator: value}
            else:
                self.findings.not_taken(f"{here}.assert.{key}", "there is no such check")
        return made

    def _compiles(self, pattern: object, here: str) -> bool:
        try:
            re.compile(str(pattern))
        except (re.error, RecursionError, OverflowError) as err:
            self.findings.not_taken(here, f"it is no regular expression of Python: {err}")
            return False
        return True

    def _service(self, name: object, here: str) -> str:
        wanted = service_name(name) if isinstance(name, str) else ""
        if wanted in self.services:
            self.findings.changed(here, "the command runs in the service; there it ran in a fresh container beside it")
            return wanted
        if wanted:
            self.findings.not_taken(here, f"there is no service {wanted} that can be started; the step runs in {SHELL}")
        self.needs_shell = True
        return SHELL

    def _filled(self, text: str) -> str:
        """Return text with its variables; the predecessor filled them into the arguments of steps."""

        def value(match: re.Match[str]) -> str:
            found = self.variables.get(match[1])
            return match[0] if found is None or isinstance(found, (Mapping, list)) else _written(found)

        return _TEMPLATE.sub(value, text)

    def _unique(self, name: str) -> str:
        count = self._names[name] = self._names.get(name, 0) + 1
        return name if count == 1 else f"{name} ({count})"


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _one_line(value: object) -> str:
    text = value if isinstance(value, str) else ""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:190].strip()
