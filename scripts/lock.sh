#!/usr/bin/env bash
# Resolves pyproject.toml anew into requirements/*.lock, with hashes, for every Python from 3.11 on, naming no index.
# The newest versions win: update the whole OpenTelemetry family together, which one resolution does.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$ROOT"
UV=$BUILD/uv/bin/uv
if [ ! -x "$UV" ]; then
    step "Installing the resolver" bash -c "'$BUILD/venv/bin/python' -m venv '$BUILD/uv' && '$BUILD/uv/bin/pip' install uv==0.13.8"
fi
resolve() {
    "$UV" --quiet pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
        --upgrade pyproject.toml "$@"
}
step "Resolving runtime.lock" resolve --output-file requirements/runtime.lock
step "Resolving dev.lock" resolve --group dev --constraints requirements/runtime.lock --output-file requirements/dev.lock
step "Resolving bench.lock" resolve --group dev --group bench --constraints requirements/dev.lock \
    --output-file requirements/bench.lock
