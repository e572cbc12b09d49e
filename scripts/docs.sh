#!/usr/bin/env bash
# Writes docs/spec.md, which is made from the records that read specs. A test compares the two.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$ROOT"
exec "${PYTHON:-$BUILD/venv/bin/python}" - <<'PYTHON'
from pathlib import Path

from cleanroom.spec.language.reference import render_reference
from cleanroom.spec.shapes.suite import SUITE

Path("docs/spec.md").write_text(render_reference(SUITE), encoding="utf-8")
PYTHON
