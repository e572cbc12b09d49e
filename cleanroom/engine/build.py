"""Building images with the classic builder: the one that every engine has, and that local runners use."""

from __future__ import annotations

import tempfile
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cleanroom import text
from cleanroom.engine import archive
from cleanroom.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cleanroom.engine.ports import BuildSpec
    from cleanroom.engine.wire import Wire

TAIL_LINES: Final = 40
# Contexts are a few kilobytes as a rule; a large one goes to a file instead of memory.
_SPOOL: Final = 32 << 20


def run_build(wire: Wire, spec: BuildSpec, log: Callable[[str], None]) -> str:
    """Build `spec` and return the image's id; raises `EngineError` with the end of the build's log.

    Steps have the engine's own network (`host`), intermediate containers are removed, layers stay as a cache.
    """
    root = Path(spec.context)
    if not (root / spec.dockerfile).is_file():
        raise EngineError(
            f"cannot build {spec.tag}: there is no {spec.dockerfile} in {spec.context}",
            remedy="correct `build.context` (relative to the repository's root) or `build.dockerfile`",
        )
    entries = archive.context_entries(root, spec.dockerfile)
    last: deque[str] = deque(maxlen=TAIL_LINES)
    image = words = ""
    with tempfile.SpooledTemporaryFile(max_size=_SPOOL) as context:
        try:
            archive.write_context(root, entries, context)
        except OSError as err:
            raise EngineError(f"cannot read the build context {root}: {err}") from err
        context.seek(0)
        with wire.api(f"build {spec.tag} from {spec.context}") as api:
            stream = api.build(
                fileobj=context,
                custom_context=True,
                dockerfile=spec.dockerfile,
                tag=spec.tag,
                buildargs=dict(spec.args) or None,
                target=spec.target or None,
                network_mode="host",
                rm=True,
                forcerm=True,
                decode=True,
            )
            for event in stream:
                image = str((event.get("aux") or {}).get("ID") or image)
                for line in _lines(event):
                    last.append(line)
                    log(line)
                # Read on to the end: a response that is left half read keeps its connection open.
                words = str(event.get("error", words))
    if words:
        raise _failure(spec, words, tuple(last))
    if not image:
        raise EngineError(f"the engine built {spec.tag} and named no image")
    return image


def _lines(event: dict[str, Any]) -> tuple[str, ...]:
    said = str(event.get("stream") or event.get("status") or "")
    return tuple(line for line in text.clean(said).splitlines() if line.strip())


def _failure(spec: BuildSpec, words: str, lines: tuple[str, ...]) -> EngineError:
    tail = "\n".join(f"    {line}" for line in lines)
    return EngineError(
        f"cannot build {spec.tag} from {spec.context} ({spec.dockerfile}): {text.one_line(words, 500)}\n"
        f"  the end of the build's log:\n{tail or '    (it is empty)'}",
        remedy="make `docker build` of this context work, then run again",
    )
