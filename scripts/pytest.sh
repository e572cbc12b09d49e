#!/usr/bin/env bash
# pytest.sh NAME ARGUMENTS...: pytest from .build/venv, with a junit file per suite, and an empty suite as the failure it is.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

name=$1
shift
status=0
PYTHONPATH=$ROOT "$BUILD/venv/bin/python" -m pytest --junit-xml="$BUILD/test-$name.xml" "$@" || status=$?
[ "$status" -ne 5 ] || say "error: no test was collected for $name: a suite without tests proves nothing"
exit "$status"
