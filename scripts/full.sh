#!/usr/bin/env bash
# Runs every test, the ones marked `full` included, and records the outcome in docs/test-full.txt.
# Needs what make test-full prepares: the dev venv, an engine that answers, and the image.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$ROOT"
began=$SECONDS
outcome=passed
commit=$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
[ -z "$(git status --porcelain 2>/dev/null)" ] || commit="$commit with local changes"
rm -f "$BUILD"/test-full-*.xml
for suite in unit contract engine e2e; do
    scripts/pytest.sh "full-$suite" -m "full or not full" --timeout 1200 "tests/$suite" || outcome=failed
done
mkdir -p docs
"$BUILD/venv/bin/python" - "$outcome" "$commit" "$((SECONDS - began))" "$BUILD"/test-full-*.xml >docs/test-full.txt <<'PYTHON'
import datetime, pathlib, sys, xml.etree.ElementTree as ElementTree

outcome, commit, seconds, *files = sys.argv[1:]
print(f"make test-full: {outcome}")
print(f"date: {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC")
print(f"commit: {commit}")
print(f"duration: {seconds} s")
for name in files:
    counts = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    for suite in ElementTree.parse(name).getroot().iter("testsuite"):
        for key in counts:
            counts[key] += int(suite.get(key, "0"))
    label = pathlib.Path(name).stem.removeprefix("test-full-")
    print(f"{label}: " + ", ".join(f"{value} {key}" for key, value in counts.items()))
PYTHON
cat docs/test-full.txt
[ "$outcome" = passed ]
