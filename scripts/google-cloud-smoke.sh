#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Asks of a deployment in a real project what cannot be known without one (docs/google-cloud.md). Never run so far: nothing of Viewmill was sent to Google Cloud.
# Usage: scripts/google-cloud-smoke.sh ENVIRONMENT_FOLDER     (services and streaming job run; terraform, gcloud and curl at hand)
set -eu
folder=${1:?folder of the environment, such as terraform/environments/dev}
output() { terraform -chdir="$folder" output -raw "$1"; }
say() { printf '\n== %s\n' "$*"; }
fail() { echo "FAILED: $*"; exit 1; }

settings=$(output settings)
setting() { printf '%s\n' "$settings" | sed -n "s/^export $1='\(.*\)'\$/\1/p"; }
project=$(setting VIEWMILL_PROJECT)
region=$(setting VIEWMILL_DATAFLOW_REGION)
bucket=$(setting VIEWMILL_GCS_BUCKET)
name=$(setting VIEWMILL_COUNTERS_INSTANCE)
address() { gcloud run services describe "$name-$1" --project="$project" --region="$region" --format='value(status.url)'; }
ingest=$(address ingest)
query=$(address query)
token=$(gcloud auth print-identity-token)
# Cloud Run asks for an identity, which it takes from this header first; Viewmill asks for a key.
identity="X-Serverless-Authorization: Bearer $token"
key="Authorization: Bearer $(gcloud secrets versions access latest --project="$project" --secret="$name-operator-key")"
run=$(date -u +%Y%m%d%H%M%S)
video="smoke-$run"
event="{\"eventId\":\"$run\",\"videoId\":\"$video\",\"eventType\":\"VIEW\"}"
start=$(date -u +%Y-%m-%dT%H:%M:00Z)
post() { curl -s -o /tmp/viewmill-smoke -w '%{http_code}' -H 'content-type: application/json' -d "$event" "$@"; }
get() { curl -sf -H "$identity" -H "$key" "$@"; }

say "a stranger is refused"
status=$(post "$ingest/v1/events")
[ "$status" = 401 ] || [ "$status" = 403 ] || fail "answered $status"

say "an identity without a key is refused"
status=$(post -H "$identity" "$ingest/v1/events")
[ "$status" = 401 ] || fail "answered $status"

say "an event is accepted, and once more"
for _ in 1 2; do
  status=$(post -H "$identity" -H "$key" "$ingest/v1/events")
  [ "$status" = 202 ] || fail "answered $status: $(cat /tmp/viewmill-smoke)"
done

say "the query service may not publish"
status=$(post -H "$identity" -H "$key" "$query/v1/events")
[ "$status" = 503 ] || fail "answered $status"

say "it counts, once"
count=0
for _ in $(seq 1 60); do
  count=$(get "$query/v1/videos/$video" | sed -n 's/.*"VIEW":{"count":\([0-9]*\).*/\1/p')
  [ "${count:-0}" != 0 ] && break
  sleep 10
done
[ "${count:-0}" = 1 ] || fail "count is ${count:-0} after ten minutes"

say "it is in the archive, and the books of its minute (read them: is the minute balanced? the archiver may take a moment)"
minute=$(echo "$start" | sed 's/^\(....-..-..\)T\(..\):\(..\).*/date=\1\/hour=\2\/minute=\3/')
gcloud storage ls "gs://$bucket/archive/$minute/**" || fail "no object of that minute: events sent at a minute's end may be in the next"
get "$query/v1/ledger?start=$start&end=$(date -u +%Y-%m-%dT%H:%M:00Z)"

say "the hourly audit runs"
gcloud run jobs execute "$name-audit-hourly" --project="$project" --region="$region" --wait || fail "see its log"

say "our metrics come to Cloud Monitoring (read it: is there a descriptor?)"
access=$(gcloud auth print-access-token)
filter='metric.type%3Dstarts_with(%22prometheus.googleapis.com%2Fviewmill_%22)'
curl -sf -H "Authorization: Bearer $access" \
  "https://monitoring.googleapis.com/v3/projects/$project/metricDescriptors?filter=$filter&pageSize=5" | grep '"type"' || fail "none: the collector does not scrape"

say "done"
