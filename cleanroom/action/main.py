"""The action: the runner's environment in, a run, and its outputs, summary, annotations and exit code out."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cleanroom.action.commands import Commands, Relay
from cleanroom.action.conclusion import conclude, exit_code
from cleanroom.action.inputs import ActionInputs, raw_secrets, read_inputs
from cleanroom.action.outputs import append_summary, append_values
from cleanroom.action.workspace import forget_report, give_back, owner_of
from cleanroom.errors import CleanroomError, ExitCode
from cleanroom.report.annotations import annotate
from cleanroom.report.model import COUNTS
from cleanroom.text import mask

if TYPE_CHECKING:
    from cleanroom.pipeline.options import RunOptions

_PATIENCE = 3
"""Signals after which the process ends at once: the first asks the run to stop, the second kills its cell."""


class Run(Protocol):
    """Runs specs; returns the exit code, why nothing could be judged (or ""), and what a person should know."""

    def __call__(
        self, options: RunOptions, sink: Callable[[bytes], None], watch: Callable[[Callable[[], None]], None]
    ) -> tuple[int, str, tuple[str, ...]]:
        """Run; `watch` is given the function that asks the run to stop, once there is something to stop."""


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] | None = None, run: Run | None = None) -> int:
    """Do what the workflow's step asks for and return the step's exit code. `argv` is not used: inputs come by name."""
    del argv
    given = dict(os.environ if environ is None else environ)
    commands = Commands(_write)
    for secret in raw_secrets(given):
        commands.mask(secret)
    try:
        inputs = read_inputs(given)
        for secret in inputs.secrets:
            commands.mask(secret)
        return _step(inputs, commands, run or _pipeline)
    except CleanroomError as err:
        commands.error(mask(str(err), raw_secrets(given)))
        code = int(err.exit_code)
    except Exception:  # noqa: BLE001 - a defect of ours must look like neither a finding nor a pass
        commands.say(mask(traceback.format_exc(), raw_secrets(given)))
        commands.error("cleanroom failed by a defect of its own; the log has the details, please report it")
        code = int(ExitCode.ENGINE)
    with contextlib.suppress(CleanroomError):  # the step fails anyway; its outputs are a courtesy
        append_values(given.get("GITHUB_OUTPUT", ""), {"conclusion": "error"})
    return code


def _step(inputs: ActionInputs, commands: Commands, run: Run) -> int:
    forget_report(inputs.report_dir)
    _remember(inputs)
    relay = Relay(commands)
    with commands.group("cleanroom run"), commands.deaf():
        try:
            code, message, notes = run(options_of(inputs), relay.feed, obey_signals)
        finally:
            relay.flush()
            give_back(inputs.report_dir, inputs.workspace)
    return publish(inputs, commands, code, (message, *notes))


def publish(inputs: ActionInputs, commands: Commands, code: int, messages: Sequence[str] = ()) -> int:
    """Tell the runner what a finished run found, from its report, and return the step's exit code."""
    document = read_report(inputs.report_dir)
    conclusion = conclude(document, code)
    result = exit_code(document, code, inputs.fail_on, fail_on_empty=inputs.fail_on_empty)
    for message in messages:
        if message:
            commands.say(mask(message, inputs.secrets))
    if document is None and conclusion == "error":
        why = next((m for m in messages if m), "the run ended without a report")
        commands.error(mask(f"{why} (exit code {code})", inputs.secrets))
    if document is not None:
        _tell(inputs, commands, document, conclusion)
        if conclusion == "error" and document["verdict"] != "error":
            # The report could not know: it was written before the run's own end.
            commands.error(f"the run ended with exit code {code}, whatever its report says")
    append_values(inputs.output_file, outputs_of(inputs, document, conclusion))
    if result == ExitCode.PASS and conclusion not in {"pass", "empty"}:
        commands.say(f"the step passes all the same: fail-on is {', '.join(sorted(inputs.fail_on)) or 'never'}")
    return result


def options_of(inputs: ActionInputs) -> RunOptions:
    """Return what the pipeline is asked to do."""
    from cleanroom.pipeline.options import RunOptions  # noqa: PLC0415 - inputs are refused before anything heavy loads

    return RunOptions(
        specs=inputs.specs,
        root=str(inputs.workspace),
        out=str(inputs.report_dir),
        tags=inputs.tags,
        tier=inputs.tier,
        tier_timeouts=inputs.tier_timeouts,
        pass_rates=inputs.pass_rates,
        max_failures=inputs.max_failures,
        budget=inputs.budget,
        iterations=inputs.iterations,
        seed=inputs.seed,
        random_seed=inputs.random_seed,
        variables=inputs.variables,
        environment=inputs.environment,
        engine=inputs.engine,
        image_cache=inputs.image_cache,
        cache_scope=inputs.repository,
        registry_auth={
            auth.registry: {"username": auth.username, "password": auth.password} for auth in inputs.registry_auth
        },
        secrets=inputs.secrets,
        fail_on_empty=inputs.fail_on_empty,
        progress="plain",
        owner=owner_of(inputs.workspace),
    )


def outputs_of(inputs: ActionInputs, document: Mapping[str, Any] | None, conclusion: str) -> dict[str, str]:
    """Return the action's outputs: text, paths relative to the workspace; empty where the run never came that far."""
    counts = document["counts"] if document is not None else {}
    paths = {"junit": "junit.xml", "summary": "summary.md", "json": "report.json"}
    there = {name: inputs.report_dir / file for name, file in paths.items() if (inputs.report_dir / file).is_file()}
    return {
        "conclusion": conclusion,
        **{name: str(counts.get(name, 0)) for name in COUNTS},
        "skipped": str(sum(len(s["scenarios"]) for s in document["skipped"]) if document is not None else 0),
        "digest": str(document["digest"]) if document is not None else "",
        "seed": str(document["seed"] or "") if document is not None else "",
        "schedule-digest": str(document["schedule_digest"]) if document is not None else "",
        "repro": str(document["repro"]) if document is not None else "",
        "report-dir": inputs.relative(inputs.report_dir),
        **{name: inputs.relative(there[name]) if name in there else "" for name in paths},
    }


def read_report(directory: Path) -> dict[str, Any] | None:
    """Return `report.json`, or None where there is none that can be read."""
    try:
        found = json.loads((directory / "report.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and str(found.get("schema", "")).startswith("cleanroom.report/1") else None


def obey_signals(stop: Callable[[], None]) -> None:
    """Call `stop` on every SIGINT and SIGTERM, from a thread (a handler must not wait for locks); the third ends us.

    The runner's way to cancel: SIGINT, 7.5 s, SIGTERM, 2.5 s, and then only its own client dies, not this container.
    """
    seen = 0

    def handler(number: int, _frame: object) -> None:
        nonlocal seen
        seen += 1
        if seen >= _PATIENCE:
            os._exit(128 + number)
        threading.Thread(target=stop, name="stop", daemon=True).start()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)


def _tell(inputs: ActionInputs, commands: Commands, document: Mapping[str, Any], conclusion: str) -> None:
    counts = document["counts"]
    commands.say(
        f"cleanroom: {conclusion}: {counts['passed']} passed, {counts['failed']} failed, {counts['known']} known,"
        f" {counts['inconclusive']} inconclusive"
    )
    for name in ("digest", "seed", "repro"):
        if document[name]:
            commands.say(f"{name}: {document[name]}")
    commands.say(f"reports: {inputs.relative(inputs.report_dir)}")
    if inputs.annotations:
        for annotation in annotate(document):
            commands.annotate(annotation)
    if inputs.summary:
        page = inputs.report_dir / "summary.md"
        short = f"## cleanroom: {conclusion}\n\nThe summary does not fit here: see `summary.md` in the report.\n"
        text = page.read_text(encoding="utf-8", errors="replace") if page.is_file() else short
        append_summary(inputs.summary_file, text, short)


def _remember(inputs: ActionInputs) -> None:
    """Leave what the post stage needs to clean up after us, before there is anything to clean up."""
    from cleanroom.action.post import CONTAINER, own_container  # noqa: PLC0415 - it asks the engine

    append_values(inputs.state_file, {CONTAINER: own_container()})


def _pipeline(
    options: RunOptions, sink: Callable[[bytes], None], watch: Callable[[Callable[[], None]], None]
) -> tuple[int, str, tuple[str, ...]]:
    from cleanroom.engine.conversation import Interrupt  # noqa: PLC0415 - inputs are refused before anything heavy loads
    from cleanroom.pipeline.outside import run_cleanroom  # noqa: PLC0415 - the same

    interrupt = Interrupt()
    watch(interrupt.fire)
    outcome = run_cleanroom(options, sink, interrupt)
    return outcome.exit_code, outcome.message, outcome.notes


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
