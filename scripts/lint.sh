#!/usr/bin/env bash
# Every linter, each to its end, so that one run shows all there is to mend. Uses .build/venv.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$ROOT"
PATH=$BUILD/venv/bin:$PATH
failed=()

# check NAME COMMAND...
check() {
    local name=$1 log=$BUILD/logs/lint-$1.log
    shift
    if "$@" >"$log" 2>&1; then
        printf '    ok      %s\n' "$name"
    else
        printf '    FAILED  %s\n' "$name"
        sed 's/^/            /' "$log"
        failed+=("$name")
    fi
}

check format ruff format --check .
check ruff ruff check .
check mypy mypy --cache-dir "$BUILD/mypy"
check layers lint-imports --cache-dir "$BUILD/import-linter"
check shellcheck shellcheck --external-sources --source-path="$ROOT" scripts/*.sh tests/kernel/*.sh .ci/run
check hadolint hadolint Dockerfile
check action check-jsonschema --builtin-schema vendor.github-actions action.yml
check workflows check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
check zizmor zizmor --offline --no-progress action.yml .github/workflows
[ ${#failed[@]} -eq 0 ] || die "lint: ${failed[*]}"
