#!/usr/bin/env bash
# Runs the specs of all faults as the tests do, keeps their reports, and writes what was seen into docs/fault-evidence.md.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$ROOT"
export CLEANROOM_FAULT_REPORTS=$BUILD/fault-reports
rm -rf "$CLEANROOM_FAULT_REPORTS"
mkdir -p "$CLEANROOM_FAULT_REPORTS"
scripts/pytest.sh fault-evidence -n 2 --dist loadfile --timeout 900 -m "full or not full" tests/engine/test_faults_*.py
PYTHONPATH=$ROOT "$BUILD/venv/bin/python" tests/engine/fault_table.py "$CLEANROOM_FAULT_REPORTS" > docs/fault-evidence.md
say "==> docs/fault-evidence.md"
