"""Why a service could not be talked to, as an error type: from errno and what a connection saw, never from text."""

from __future__ import annotations

import errno

_UNREACHABLE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT, errno.EHOSTDOWN)


class StoppedError(OSError):
    """A wait that was given up because the run is to stop."""


_STOPPED = ("killed", "the run was interrupted")


def failure_of_errno(number: int) -> tuple[str, str]:
    """Return (error type of spec.md section 4, one line) of a connection that ended with this errno."""
    if number == errno.ECONNREFUSED:
        return "connection_refused", "the connection was refused"
    if number in (errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED):
        return "connection_reset", "the connection was reset"
    if number in _UNREACHABLE:
        return "network_failure", f"the service could not be reached ({errno.errorcode[number]})"
    return "network_failure", f"the connection failed ({errno.errorcode.get(number, number)})"


def failure_of(err: OSError) -> tuple[str, str]:
    """Return the same of an exception."""
    if isinstance(err, StoppedError):
        return _STOPPED
    if isinstance(err, TimeoutError) and err.errno is None:
        return "timeout", "no complete answer in time"
    return failure_of_errno(err.errno or 0)


def failure_of_loss(lost: str) -> tuple[str, str]:
    """Return the same of a connection that was lost: `timeout`, `stopped`, `closed` or `reset`."""
    if lost == "stopped":
        return _STOPPED
    if lost == "timeout":
        return "timeout", "no complete answer in time"
    how = "was reset" if lost == "reset" else "ended"
    return "connection_reset", f"the connection {how} before the answer"
