#!/usr/bin/env bash
# Removes .build: the venv, the private engine's images, logs. The engine must be stopped (scripts/engine.sh down).
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

# The engine's data belongs to root.
if [ -d "$BUILD/engine" ]; then as_root rm -rf "$BUILD/engine"; fi
rm -rf "$BUILD" "$ROOT"/.{mypy,pytest,ruff,import_linter}_cache "$ROOT/.hypothesis" "$ROOT/.coverage"
