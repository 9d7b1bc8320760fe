#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the streaming job in a real project and asks of it what cannot be known without one (docs/dataflow.md). Costs a few euros; ends what it started.
# Usage: scripts/dataflow-smoke.sh CONFIG READ_URL      (READ_URL: a service that reads the same counters, e.g. `viewmill serve` beside it)
set -eu
config=${1:?configuration file}
url=${2:?address of a service that reads the counters}
here=$(cd "$(dirname "$0")/.." && pwd)
viewmill() { "$here/node_modules/.bin/node" "$here/dist/cli/main.js" "$@"; }
setting() { viewmill config --config "$config" | "$here/node_modules/.bin/node" -pe "JSON.parse(require('fs').readFileSync(0)).$1"; }
say() { printf '\n== %s\n' "$*"; }

project=$(setting project)
region=$(setting dataflow.region)
topic=$(setting log.topic)
job=$(setting job.name)
run=$(date -u +%Y%m%d%H%M%S)
video="smoke-$run"
start=$(date -u +%Y-%m-%dT%H:%M:00Z)
# For direct producers: single events, of this minute, without attributes. $1: first id, $2: last id.
publish() {
  for id in $(seq "$1" "$2"); do
    event="{\"eventId\":\"$run-$id\",\"videoId\":\"$video\",\"eventType\":\"VIEW\",\"eventTime\":\"$start\"}"
    gcloud pubsub topics publish "$topic" --project="$project" --message="$event" >/dev/null
  done
}
# Waits until the video has this count, for at most ten minutes; a higher one is a failure at once.
expect_count() {
  for _ in $(seq 1 60); do
    count=$(viewmill counts "$video" --start "$start" --json --url "$url" | sed 's/.*"count":\([0-9]*\),"buckets.*/\1/')
    if [ "$count" = "$1" ]; then echo "count is $1, as it must be"; return; fi
    if [ "$count" -gt "$1" ]; then echo "FAILED: count is $count, more than $1"; exit 1; fi
    sleep 10
  done
  echo "FAILED: count is $count after ten minutes, not $1"
  exit 1
}

say "a region that is none gets one clear line (read it: is it about the region?)"
viewmill pipeline stream --runner dataflow --config "$config" --region europe-nowhere1 || true

say "the job starts: our userAgent is accepted, the image boots"
viewmill pipeline stream --runner dataflow --config "$config"
trap 'viewmill pipeline cancel "$job" --runner dataflow --config "$config" || true' EXIT

say "a second one of its name is refused"
if viewmill pipeline stream --runner dataflow --config "$config"; then echo "FAILED: it was not"; exit 1; fi

say "messages without attributes are read and counted; repeats are not"
publish 1 5
publish 3 5
expect_count 5

say "an update keeps the open window: what came before and after it is counted"
viewmill pipeline update --runner dataflow --config "$config"
publish 4 8
expect_count 8

say "sibling workers (read it: how many different workerId has one machine? it should be the number of its cores)"
gcloud logging read "resource.type=dataflow_step AND resource.labels.region=$region AND jsonPayload.message:\"worker connected\"" \
  --project="$project" --freshness=30m --limit=50 --format='value(labels."compute.googleapis.com/resource_name", jsonPayload.message)' || true

say "warnings and errors so far (read them)"
viewmill pipeline status "$job" --runner dataflow --config "$config"

say "a drain writes what is open"
publish 9 10
sleep 30
viewmill pipeline drain "$job" --runner dataflow --config "$config"
trap - EXIT
expect_count 10

say "done. A large GroupByKey: viewmill generate --count 2000000, all of one minute, to a job with dedupePartitions 1 (docs/dataflow.md)"
