"""The text of a first spec for services found somewhere: they start, they answer, nothing gets out or stays."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from cleanroom.spec.writing import block, comment

_HTTP_PORTS = frozenset({80, 3000, 4000, 4200, 5000, 5173, 8000, 8008, 8080, 8081, 8088, 8090, 8888, 9090})
"""Ports on which a web server is the usual thing to find."""
_SECTIONS = ("services", "scenarios", "expect")
_NEXT = (
    "Next: say what must hold of the spans (expect.spans), and what the services survive (chaos in a scenario).",
    "`cleanroom explain expect.spans` and `cleanroom explain chaos` tell how.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remarks:
    """What a person must know of a spec that was made: lists under headings, the heading of an empty list left out."""

    origin: str
    lists: Mapping[str, Sequence[str]] = field(default_factory=lambda: MappingProxyType({}))


def spec_text(name: str, parts: Mapping[str, Any], remarks: Remarks) -> str:
    """Return a spec file; `parts` are its blocks after `meta`, as plain data."""
    services = parts.get("services", {})
    later = later_keys(services)
    lists = dict(remarks.lists)
    if later:
        lists["Part of the language, and refused by `run` in this version:"] = later
    lines = [comment(remarks.origin)]
    for heading, items in lists.items():
        if items:
            lines += [comment(heading), *(f"#   {comment(item)[2:]}" for item in items)]
    lines += ["cleanroom: 1\n", block({"meta": {"name": _name(name)}})]
    for key, value in parts.items():
        if key in _SECTIONS:
            inner = block(value, indent=2) if isinstance(value, Mapping) else _listed(value)
            lines.append(f"\n{key}:\n{inner}")
        else:
            lines.append("\n" + block({key: value}))
    return _formatted("".join(lines))


def _formatted(text: str) -> str:
    """Return the text as `cleanroom fmt` writes it, so that it finds nothing to do there."""
    from cleanroom.spec.document import UnreadableError  # noqa: PLC0415 -- as slow as reading a spec
    from cleanroom.spec.format.rewrite import format_spec  # noqa: PLC0415
    from cleanroom.spec.problem import ProblemLog  # noqa: PLC0415

    try:
        return format_spec(text.encode(), ProblemLog(""))
    except UnreadableError:
        return text  # too large: whoever loads it is told


def first_look(services: Mapping[str, Any], ports: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """Return the blocks of a spec around services: a scenario that asks each something, and what must hold."""
    steps: list[dict[str, Any]] = []
    for name, service in services.items():
        step = _step(name, service, ports.get(name, ()))
        if step:
            steps.append(step)
    steps = steps or [_wait(name, service, ports.get(name, ())) for name, service in list(services.items())[:1]]
    return {
        "services": services,
        "scenarios": [{"name": "the services answer", "steps": steps, "expect": {"outcome": "passed"}}],
        "expect": {"hermeticity": {"egress": "none", "leaks": "none"}},
        "determinism": {"iterations": 5, "seed": 42},
    }


def next_steps() -> str:
    """Return the comment at the end of a first spec."""
    return "\n" + "".join(comment(line) for line in _NEXT)


def later_keys(services: Mapping[str, Any]) -> list[str]:
    """Return the keys of services that this version only reads, as paths."""
    from cleanroom.spec.shapes.service import SERVICE  # noqa: PLC0415 -- shapes are slow to build, and not needed here

    known = {key for key, one in SERVICE.keys.items() if one.later}
    return [f"services.{name}.{key}" for name, service in services.items() for key in service if key in known]


def spec_name(text: str) -> str:
    """Return text as the stem of a file's name: lower-case letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "suite"


def _step(name: str, service: Mapping[str, Any], ports: Sequence[int]) -> dict[str, Any] | None:
    """Return a step that asks a service something which this version can ask, or None."""
    ready: Sequence[Mapping[str, Any]] = service.get("ready", ())
    if any("exit" in probe for probe in ready) or "replicas" in service:
        return None
    web = next((port for port in ports if port in _HTTP_PORTS), None)
    if web is not None:
        request = {"service": name, "port": web, "path": "/", "follow": False}
        return {"name": f"{name} answers", "http": request, "expect": {"status": {"lt": 500}}}
    command = next((probe["exec"] for probe in ready if "exec" in probe), None)
    if command is not None:
        return {"name": f"{name} is still healthy", "exec": {"service": name, "command": command}}
    return None


def _wait(name: str, service: Mapping[str, Any], ports: Sequence[int]) -> dict[str, Any]:
    """Return the step of a suite in which nothing can be asked: the port answers, or else some time passes."""
    if ports and "replicas" not in service:
        return {"name": f"{name} accepts connections", "wait_for": {"tcp": {"service": name, "port": ports[0]}}}
    return {"name": "the services run for a second", "sleep": "1s"}


def _listed(items: Sequence[Mapping[str, Any]]) -> str:
    return block({"-": list(items)}).split("\n", 1)[1]


def _name(text: str) -> str:
    flat = " ".join("".join(c if c.isprintable() else " " for c in text).split())[:200].strip()
    return flat or "suite"
