"""One command of iproute2, nftables or iptables, run to its end; its words become a NetworkError when it fails."""

from __future__ import annotations

import subprocess

from cleanroom.errors import NetworkError

_TIMEOUT_S = 30.0


def run(argv: tuple[str, ...], *, stdin: str = "") -> str:
    """Return what `argv` wrote to its standard output; it runs in the calling thread's network namespace.

    Raises NetworkError with the command's own words when it is missing, fails or takes longer than 30 s.
    """
    try:
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except FileNotFoundError as err:
        raise NetworkError(
            f"{argv[0]} is needed for the isolated network and is not on PATH",
            remedy="install iproute2 and nftables (apt-get install iproute2 nftables)",
        ) from err
    except subprocess.TimeoutExpired as err:
        raise NetworkError(f"`{' '.join(argv)}` did not end within {_TIMEOUT_S:g} s") from err
    if done.returncode != 0:
        words = done.stderr.strip() or done.stdout.strip() or "no words"
        raise NetworkError(
            f"`{' '.join(argv)}` ended with {done.returncode}: {words}",
            remedy="root (CAP_NET_ADMIN) and a kernel with nftables and bridges are needed",
        )
    return done.stdout


def succeeds(argv: tuple[str, ...]) -> bool:
    """Return whether `argv` ended with 0; a missing command counts as failure."""
    try:
        run(argv)
    except NetworkError:
        return False
    return True
