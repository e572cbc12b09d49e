#!/usr/bin/env bash
# Writes docs/spec.md and docs/faults.md, which are made from the tables that the program works by. Tests compare them.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$ROOT"
exec "${PYTHON:-$BUILD/venv/bin/python}" - <<'PYTHON'
from pathlib import Path

from cleanroom.faults.catalogue import render_catalogue
from cleanroom.spec.language.reference import render_reference
from cleanroom.spec.shapes.suite import SUITE

Path("docs/spec.md").write_text(render_reference(SUITE), encoding="utf-8")
Path("docs/faults.md").write_text(render_catalogue(), encoding="utf-8")
PYTHON
