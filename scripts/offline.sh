#!/usr/bin/env bash
# offline.sh COMMAND...: runs it with no network but its own loopback, where this machine allows that; says so where not.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

options=(--net)
[ "$(id -u)" -eq 0 ] || options+=(--map-root-user)
if ! unshare "${options[@]}" true 2>/dev/null; then
    say "note: this machine allows no network namespace, so this runs with the network on: $*"
    exec "$@"
fi
# A new namespace has its loopback down; SIOCSIFFLAGS with IFF_UP|IFF_RUNNING needs no tool that may be missing.
exec unshare "${options[@]}" -- python3 -c '
import fcntl, os, socket, struct, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
    fcntl.ioctl(link, 0x8914, struct.pack("16sh14x", b"lo", 0x41))
os.execvp(sys.argv[1], sys.argv[1:])' "$@"
