#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# npm test as on a slow machine: on one processor, which it shares with work that never ends. Usage: scripts/slow-test.sh [words of npm test]
# The other processors are left alone; LOAD is how many endless processes are beside it (3 by default: a quarter of a processor is left).
set -uo pipefail
cd "$(dirname "$0")/.."
pids=()
for _ in $(seq "${LOAD:-3}"); do
  taskset -c 0 sh -c 'while :; do :; done' &
  pids+=($!)
done
trap 'kill "${pids[@]}" 2> /dev/null' EXIT
started=$(date +%s)
CI=true taskset -c 0 npm test -- "$@"
status=$?
echo "npm test on one shared processor: exit status $status after $(($(date +%s) - started)) s"
exit $status
