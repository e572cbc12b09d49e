#!/opt/cleanroom/bin/python -I
"""The image's entry point: the action when called without arguments, the command line when called with some.

The runner starts a container action without arguments and hands its inputs over in the environment; people and the
launcher start `docker run IMAGE run spec.cleanroom.yaml` or `docker run IMAGE cell`.
"""

from __future__ import annotations

import sys

REQUIRED = (3, 11)


def main(argv: list[str]) -> int:
    """Run the shell that `argv` asks for and return its exit code; 2 where this Python is too old to import it."""
    if sys.version_info < REQUIRED:
        found = ".".join(str(part) for part in sys.version_info[:3])
        sys.stderr.write(f"cleanroom needs Python {REQUIRED[0]}.{REQUIRED[1]} or newer, this is {found}\n")
        return 2
    if argv:
        from cleanroom.cli.main import main as command_line  # noqa: PLC0415 - only after the version guard

        return command_line(argv)
    from cleanroom.action.main import main as action  # noqa: PLC0415 - only after the version guard

    return action()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
