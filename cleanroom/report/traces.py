"""`traces/*.jsonl`: what the services and the runner sent, as OTLP/JSON lines that other tools read."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator

from cleanroom.errors import TelemetryError
from cleanroom.report.masking import spellings
from cleanroom.report.model import Pair, RunReport
from cleanroom.report.names import slug, unique
from cleanroom.telemetry.ports import Payload
from cleanroom.text import mask
from cleanroom.trace.decode import encode_jsonl


def trace_files(report: RunReport) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of each trace file: one per scenario and iteration, one for the runner's own spans.

    A request that is no OTLP is kept beside them in base64, in `….undecodable.jsonl`: it is evidence, and no tool could
    read it. Metrics and logs that arrived are not traces and stay in the journal.
    """
    secrets = spellings(report.secrets)
    taken: set[str] = set()
    for pair in report.pairs:
        for base, payloads in _groups(pair):
            good, bad = _lines(payloads, secrets)
            name = unique(f"traces/{base}", taken)
            if good:
                yield f"{name}.jsonl", _text(good)
            if bad:
                yield f"{name}.undecodable.jsonl", _text(bad)


def _groups(pair: Pair) -> Iterator[tuple[str, tuple[Payload, ...]]]:
    for iteration in pair.iterations:
        number = iteration.index + 1
        shared: set[tuple[Payload, ...]] = set()
        for scenario in iteration.scenarios:
            # A shared environment's requests are those of every scenario in it: once is enough.
            if scenario.shared and scenario.payloads in shared:
                continue
            shared.add(scenario.payloads)
            yield f"{slug(pair.name)}-{slug(scenario.name)}-{number}", scenario.payloads
        yield f"{slug(pair.name)}-runner-{number}", iteration.runner_payloads


def _lines(payloads: Iterable[Payload], secrets: tuple[str, ...]) -> tuple[list[str], list[str]]:
    good: list[str] = []
    bad: list[str] = []
    for payload in payloads:
        if payload.signal != "traces":
            continue
        try:
            good.append(mask(encode_jsonl(payload.body, payload.content_type), secrets))
        except TelemetryError as err:
            body = mask(payload.body.decode("latin-1"), secrets).encode("latin-1")
            raw = base64.b64encode(body).decode("ascii")
            record = {"error": mask(str(err), secrets), "content_type": payload.content_type, "body_base64": raw}
            bad.append(json.dumps(record, ensure_ascii=True))
    return good, bad


def _text(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")
