#!/usr/bin/env bash
# Runs the faults on another kernel than this machine's, one like that of hosted runners: control groups of version 2,
# sch_netem, all capabilities. Records the outcome in docs/test-kernel.txt. Needs the image and an engine that answers.
#
#   CLEANROOM_KERNEL_VM     how to have that machine: the beginning of a command. It is called with
#                           -s FOLDER -t SECONDS -m MEBIBYTES -- COMMAND
#                           and must run COMMAND there as root, with a Docker engine and Python 3, in a copy of FOLDER, bring
#                           back its folder out, and exit as COMMAND does.
#   CLEANROOM_KERNEL_FAMILIES   all of these families of faults, e.g. "resource container/pause", or `all`; without it a choice, in
#                           which every family is, and of what the kernel has a part in everything
#   CLEANROOM_KERNEL_CONTROLS   1: the controls as well, in which a fault is prevented and must not be taken for proven
#   CLEANROOM_KERNEL_LIMIT      seconds for each family and cell (default 900)
#   CLEANROOM_KERNEL_STRETCH    by how much the time limits of the specs are longer there (default 6: it is emulated)
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"

cd "$ROOT"
[ -n "${CLEANROOM_KERNEL_VM:-}" ] || die "CLEANROOM_KERNEL_VM says how to have the other kernel; $0 says what it is called with"
folder=$BUILD/kernel
limit=${CLEANROOM_KERNEL_LIMIT:-900}
families=${CLEANROOM_KERNEL_FAMILIES:-}
images=("$CLEANROOM_IMAGE" debian:trixie-slim)
for name in target:1 postgres:17 redis:8 rabbitmq:4; do images+=("cleanroom-tests/$name"); done

rm -rf "$folder"
mkdir -p "$folder/tree"
make_images() {
    PYTHONPATH=$ROOT:tests/engine "$BUILD/venv/bin/python" -c '
import os, sys, images
from cleanroom.engine.client import DockerEngine
with DockerEngine(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")) as engine:
    images.make_images(engine, sys.argv[1:])' "${images[@]:2}"
}
step "Building the images of the services" make_images
step "Saving the images" docker save --output "$folder/images.tar" "${images[@]}"
# No more than that: the folder is what each cell gets a copy of.
tar -c tests/specs/faults tests/kernel tests/engine/wire.py tests/engine/stage.py | tar -x -C "$folder/tree"
cat >"$folder/command" <<COMMAND
export CLEANROOM_IMAGE='$CLEANROOM_IMAGE' CLEANROOM_KERNEL_LIMIT='$limit' CLEANROOM_KERNEL_FAMILIES='$families'
export CLEANROOM_KERNEL_STRETCH='${CLEANROOM_KERNEL_STRETCH:-6}' CLEANROOM_KERNEL_CONTROLS='${CLEANROOM_KERNEL_CONTROLS:-}'
exec python3 tree/tests/kernel/inside.py
COMMAND

began=$SECONDS
outcome=passed
# Its first words may be options of the command, so it is not one word.
# shellcheck disable=SC2086
$CLEANROOM_KERNEL_VM -s "$folder" -t $((limit * 18)) -m 6144 -- 'sh ./command' | tee "$folder/said" || outcome=failed
[ -z "$families" ] || { [ "$outcome" = passed ]; exit; }

commit=$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
[ -z "$(git status --porcelain -- cleanroom tests 2>/dev/null)" ] || commit="$commit with local changes"
{
    printf 'make test-kernel: %s\ndate: %s UTC\ncommit: %s\nduration: %s s (emulated)\n\n' \
        "$outcome" "$(date -u '+%Y-%m-%d %H:%M')" "$commit" "$((SECONDS - began))"
    tr -d '\r' <"$folder/said" | sed -n '/^kernel /,$p' | cut -c1-400
} >docs/test-kernel.txt
say "==> docs/test-kernel.txt"
[ "$outcome" = passed ]
