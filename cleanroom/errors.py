"""The tree of errors: each leaf has an exit code (spec.md section 6) and says what to do.

CleanroomError
├── UsageError            2   the call itself is wrong
├── SpecError             3   a spec file is invalid (carries every Problem of it)
├── EngineError           4   a Docker engine, an image or a container
│   ├── NetworkError      4   the isolated network could not be built or proven
│   └── CapabilityError   4   this machine cannot do what was asked
├── TelemetryError        5   the collector or the receiver
├── InconclusiveError     6   what was asked for could not be shown to have been so
└── InterruptedRunError 130   the person or the runner asked to stop
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the program, spec.md section 6 ("Exit code of a run")."""

    PASS = 0
    FINDINGS = 1
    USAGE = 2
    INVALID_SPEC = 3
    ENGINE = 4
    TELEMETRY = 5
    INCONCLUSIVE = 6
    INTERRUPTED = 130


class CleanroomError(Exception):
    """An error that ends a run or a part of it; `remedy` says what to do about it."""

    exit_code: ExitCode = ExitCode.ENGINE

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n  what to do: {self.remedy}" if self.remedy else self.message


class UsageError(CleanroomError):
    """The command line or the action's inputs are wrong."""

    exit_code = ExitCode.USAGE


class SpecError(CleanroomError):
    """A spec file is invalid; `problems` are rendered in the message, in order of position."""

    exit_code = ExitCode.INVALID_SPEC


class EngineError(CleanroomError):
    """A Docker engine, an image, a build or a container did not do what was asked."""

    exit_code = ExitCode.ENGINE


class NetworkError(EngineError):
    """The isolated network could not be built, or its isolation could not be proven."""


class CapabilityError(EngineError):
    """This machine cannot do what was asked (a capability, a kernel module, a tool is missing)."""


class TelemetryError(CleanroomError):
    """The collector or the receiver failed, or telemetry that an expectation needs is missing."""

    exit_code = ExitCode.TELEMETRY


class InconclusiveError(CleanroomError):
    """What was asked for could not be shown to have been so: nothing can be concluded from what followed."""

    exit_code = ExitCode.INCONCLUSIVE


class InterruptedRunError(CleanroomError):
    """The run was asked to stop by a signal."""

    exit_code = ExitCode.INTERRUPTED
