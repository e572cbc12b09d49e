"""The runner's side of the contract: how it reads file commands and log commands."""

from __future__ import annotations

import re

COMMANDS = re.compile(
    r"^\s*::(set-env|set-output|save-state|add-path|add-mask|add-matcher|remove-matcher|warning|error|notice|debug|group"
    r"|endgroup|echo|stop-commands)(?: ([^:]*))?::(.*)$"
)


def read_file_command(text):
    """Return what the runner reads from an output or state file."""
    found = {}
    lines = text.split("\n")
    position = 0
    while position < len(lines):
        line = lines[position]
        position += 1
        if not line:
            continue
        equals, heredoc = line.find("="), line.find("<<")
        if heredoc < 0 or 0 <= equals < heredoc:
            assert equals > 0, f"invalid format {line!r}"
            found[line[:equals]] = line[equals + 1 :]
            continue
        name, delimiter = line[:heredoc], line[heredoc + 2 :]
        assert name
        assert delimiter
        value = []
        while lines[position] != delimiter:
            value.append(lines[position])
            position += 1
        position += 1
        found[name] = "\n".join(value)
    return found


def obeyed(log):
    """Return (command, data) for every command the runner obeys in a log."""
    found = []
    deaf = None
    for line in re.split(r"\r\n|\r|\n", log):
        if deaf is not None:
            if line.strip().lower() == f"::{deaf}::".lower():
                deaf = None
            continue
        match = COMMANDS.match(line)
        if match:
            found.append((match[1], match[3]))
            if match[1] == "stop-commands":
                deaf = match[3]
        elif re.search(r"##\[[a-z-]+[^]]*\]", line):
            found.append(("legacy", line))
    return found
