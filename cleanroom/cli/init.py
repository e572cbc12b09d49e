"""`cleanroom init`: a first spec for the repository, from the Compose file or Dockerfile that is there."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any

from cleanroom.cli.files import write_new
from cleanroom.errors import ExitCode, SpecError, UsageError
from cleanroom.text import relay

COMPOSE_FILES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_EXPOSE = re.compile(r"^\s*EXPOSE\s+(.+?)\s*$", re.IGNORECASE | re.MULTILINE)
_PORT = re.compile(r"(\d{1,5})(?:/(tcp|udp))?", re.IGNORECASE)
_SERVICE = "app"


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "init",
        help="write a first spec for this folder",
        description="Write a first spec for the Compose file or Dockerfile here; asks nothing, replaces nothing.",
    )
    parser.set_defaults(call=_init)


def _init(_arguments: argparse.Namespace) -> int:
    here = Path.cwd()
    compose = next((here / name for name in COMPOSE_FILES if (here / name).is_file()), None)
    if compose is not None:
        source, name, text = _from_compose(compose, here)
    elif (here / "Dockerfile").is_file():
        source, name, text = _from_dockerfile(here / "Dockerfile", here)
    else:
        raise UsageError(
            f"there is neither a Compose file nor a Dockerfile in {here}",
            remedy="go where one is, or write a spec by hand: `cleanroom explain services` and README.md tell how",
        )
    path = here / f"{name}.cleanroom.yaml"
    write_new(path, text, otherwise="move it away first: init replaces nothing")
    sys.stdout.write(relay(f"wrote {path.name} from {source}; next: cleanroom validate {path.name}\n"))
    return int(ExitCode.PASS)


def _from_compose(path: Path, here: Path) -> tuple[str, str, str]:
    from cleanroom.spec.compose.load import Wanted, import_compose  # noqa: PLC0415 - the parser itself stays light
    from cleanroom.spec.compose.writing import compose_spec, remarks_of  # noqa: PLC0415
    from cleanroom.spec.problem import render_problems  # noqa: PLC0415
    from cleanroom.spec.skeleton import spec_name  # noqa: PLC0415

    imported = import_compose(Wanted(path=path), here, here)
    if isinstance(imported, tuple):
        raise SpecError(f"{path.name} is not valid:\n{render_problems(imported)}")
    for line in remarks_of(imported, "refused"):
        sys.stderr.write(relay(f"not taken: {line}\n"))
    return path.name, spec_name(imported.name), compose_spec(imported, path.name)


def _from_dockerfile(path: Path, here: Path) -> tuple[str, str, str]:
    from cleanroom.spec.skeleton import Remarks, first_look, next_steps, spec_name, spec_text  # noqa: PLC0415

    ports, others = _exposed(path.read_text(encoding="utf-8", errors="replace"))
    service: dict[str, Any] = {"build": {"context": "."}}
    if ports:
        service["ready"] = [{"tcp": ports[0]}]
    remarks = Remarks(
        origin="Made from the Dockerfile in this folder by `cleanroom init`.",
        lists={"EXPOSE names what is no TCP port by number, and was left out:": others},
    )
    parts = first_look({_SERVICE: service}, {_SERVICE: ports})
    return path.name, spec_name(here.name), spec_text(here.name, parts, remarks) + next_steps()


def _exposed(dockerfile: str) -> tuple[tuple[int, ...], list[str]]:
    """Return the TCP ports that the last stage of a Dockerfile exposes, and the words that are none."""
    stages = re.split(r"^\s*FROM\s", dockerfile, flags=re.IGNORECASE | re.MULTILINE)
    ports: dict[int, None] = {}
    others: list[str] = []
    for line in _EXPOSE.findall(stages[-1]):
        for word in line.split():
            match = _PORT.fullmatch(word)
            if match and 0 < int(match[1]) < 65536 and (match[2] or "tcp").lower() == "tcp":  # noqa: PLR2004 -- ports
                ports[int(match[1])] = None
            else:
                others.append(word)
    return tuple(ports), others
