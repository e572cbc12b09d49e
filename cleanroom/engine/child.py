"""How this program starts itself again as another process: same interpreter, same package, an explicit environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

# PATH for tools, HOME for caches, the locale for text, the time zone for messages; nothing else is handed on unasked.
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ")


def child_python() -> tuple[str, ...]:
    """Return the start of an argv that runs a module of ours; -P keeps the working folder off the module path."""
    return (sys.executable, "-P")


def child_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a child: a few harmless variables of ours, where our package is, and `extra`."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    package = str(Path(__file__).resolve().parents[2])
    return {"PATH": os.defpath, **kept, "PYTHONPATH": package, **extra}
