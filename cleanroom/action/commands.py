"""Workflow commands: what the runner obeys when it reads our log (one stream only, so that their order holds)."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator

from cleanroom.report.annotations import Annotation
from cleanroom.text import clean, command_data, one_line, relay

_LONGEST_LINE = 16_000
"""Bytes of a line without an end after which it is printed all the same."""


class Commands:
    """Writes commands and text through one function that takes whole lines."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write

    def say(self, text: str) -> None:
        """Print text in which no command is obeyed."""
        self._write("".join(f"{line}\n" for line in relay(text).split("\n")))

    def mask(self, secret: str) -> None:
        """Have the runner mask a secret, and each long line of it, from now on; nothing for an empty one."""
        for text in dict.fromkeys((secret, *secret.splitlines())):
            if text.strip():
                self._write(f"::add-mask::{command_data(text)}\n")

    def annotate(self, annotation: Annotation) -> None:
        """Write one annotation."""
        self._write(f"{annotation.command()}\n")

    def error(self, message: str) -> None:
        """Write an error that belongs to no line."""
        self.annotate(Annotation(level="error", message=message, title="cleanroom"))

    @contextlib.contextmanager
    def group(self, title: str) -> Iterator[None]:
        """Fold what is printed inside; closed whatever happens."""
        self._write(f"::group::{command_data(one_line(relay(title)))}\n")
        try:
            yield
        finally:
            self._write("::endgroup::\n")

    @contextlib.contextmanager
    def deaf(self) -> Iterator[None]:
        """Have the runner obey nothing that is printed inside; what a service says is not ours to vouch for."""
        token = f"cleanroom-{secrets.token_hex(16)}"
        self._write(f"::stop-commands::{token}\n")
        try:
            yield
        finally:
            self._write(f"::{token}::\n")


class Relay:
    """Takes another program's bytes and says them line by line, safe to print."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Say every line that is complete; the rest waits for its end."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._say(line)
        if len(self._rest) > _LONGEST_LINE:
            self.flush()

    def flush(self) -> None:
        """Say what has no end yet."""
        if self._rest:
            self._say(self._rest)
            self._rest = b""

    def _say(self, line: bytes) -> None:
        self._commands.say(clean(line.decode("utf-8", "replace")).rstrip("\n"))
