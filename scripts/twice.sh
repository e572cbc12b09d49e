#!/usr/bin/env bash
# twice.sh NAME WIDTH ARGUMENTS...: like pytest.sh, with so many processes (0: none besides its own); what fails is run once
# more, alone, and told by name. Tests use real engines, kernels and package registries beside each other on a small machine:
# one that fails only there says something of the machine, and is printed as such. One that fails alone too fails the suite.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

name=$1 width=$2
shift 2
again=$BUILD/test-$name-again.txt
rm -f "$again" "$BUILD/test-$name-again.xml"
status=0
scripts/pytest.sh "$name" -n "$width" --dist loadfile -rfE "$@" || status=$?
# 1 is pytest's "some tests failed"; anything else (a crash, a usage error, no test) is final.
[ "$status" -eq 1 ] || exit "$status"
say "==> What failed, once more and alone"
scripts/pytest.sh "$name-again" -n 0 -rfEp --last-failed --last-failed-no-failures none "$@" | tee "$again" || exit 1
say "==> Failed first and passed alone (each is a test to mend):"
grep '^PASSED ' "$again" | sed 's/^/    /' >&2 || true
