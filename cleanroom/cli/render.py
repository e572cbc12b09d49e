"""`cleanroom render`: a spec as it is once its templates have been evaluated."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from cleanroom.cli.selection import add_templates, options_of
from cleanroom.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "render",
        help="print specs after their templates",
        description="Print what templates make of specs, one document for each combination of a matrix; what only a "
        "run knows stays as it was written. Whether the result is a valid spec is for validate to say.",
    )
    add_templates(parser)
    parser.add_argument("--format", default="yaml", choices=["yaml", "json"], help="for people or for programs")
    parser.set_defaults(call=_render)


def _render(arguments: argparse.Namespace) -> int:
    found = list(_instances(arguments))
    if arguments.format == "json":
        sys.stdout.write(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write("---\n".join(_document(instance) for instance in found))
    return int(ExitCode.PASS)


def _instances(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    from cleanroom.pipeline.suites import render_specs  # noqa: PLC0415 - the parser itself stays light
    from cleanroom.spec.document import plain  # noqa: PLC0415

    for spec in render_specs(options_of(arguments, out="")):
        for instance in spec.instances:
            yield {"file": spec.file, "instance": dict(instance.combination), "spec": plain(instance.document)}


def _document(instance: dict[str, Any]) -> str:
    """Return one instance as YAML under a comment that names it."""
    from cleanroom.spec.templates.matrix import label  # noqa: PLC0415
    from cleanroom.spec.yaml_text import yaml_text  # noqa: PLC0415

    combination = label(instance["instance"])
    return f"# {instance['file']}{f' ({combination})' if combination else ''}\n{yaml_text(instance['spec'])}"
