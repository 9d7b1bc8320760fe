locals {
  t = var.thresholds
  # Names of metrics are those of /metrics (ingest-api/ingest-metrics.ts, query-api/query-metrics.ts, cli/commands/archive.ts); a test looks for each of them there.
  queries = {
    ingest_latency  = "histogram_quantile(0.99, sum by (le) (rate(viewmill_ingest_request_seconds_bucket[5m])))"
    query_latency   = "histogram_quantile(0.99, sum by (le) (rate(viewmill_http_request_seconds_bucket[5m])))"
    accepted        = "sum(rate(viewmill_ingest_accepted_events_total[5m]))"
    rejected        = "sum by (reason) (rate(viewmill_ingest_rejected_events_total[5m]))"
    rejected_share  = "sum(rate(viewmill_ingest_rejected_events_total[15m])) / (sum(rate(viewmill_ingest_rejected_events_total[15m])) + sum(rate(viewmill_ingest_accepted_events_total[15m])))"
    failed_writes   = "sum(rate(viewmill_ingest_requests_total{status=~\"5..\"}[5m])) / sum(rate(viewmill_ingest_requests_total[5m]))"
    failed_reads    = "sum(rate(viewmill_http_request_seconds_count{status=~\"5..\"}[5m])) / sum(rate(viewmill_http_request_seconds_count[5m]))"
    in_flight       = "max(viewmill_ingest_in_flight_bytes)"
    event_loop      = "max(nodejs_eventloop_lag_p99_seconds)"
    behind          = "min(viewmill_complete_through_lag_seconds)"
    archived        = "sum(rate(viewmill_archived_events_total[5m]))"
    undecodable     = "sum(increase(viewmill_archive_undecodable_total[15m]))"
    audit_left      = "max(viewmill_last_audit_outcome{outcome=~\"differences|not-comparable\"})"
    audit_differing = "max(viewmill_last_audit_differing_cells)"
    audit_age       = "time() - max(viewmill_last_audit_start_seconds)"
  }
  prometheus_alerts = merge({
    ingest_latency = { signal = "latency", severity = "WARNING", seconds = 300, query = "${local.queries.ingest_latency} > ${local.t.ingest_seconds}",
    title = "Write API is slow", text = "The 99th percentile of POST /v1/events. Pub/Sub's publish is most of it; see saturation." }
    query_latency = { signal = "latency", severity = "WARNING", seconds = 300, query = "${local.queries.query_latency} > ${local.t.query_seconds}",
    title = "Read API is slow", text = "The 99th percentile of reads. Look at Bigtable's CPU, and at the route in viewmill_http_request_seconds." }
    failed_writes = { signal = "errors", severity = "CRITICAL", seconds = 300, query = "${local.queries.failed_writes} > ${local.t.failed_share}",
    title = "Writes fail", text = "Clients get 5xx and try again; nothing that was answered 202 is lost. /readyz and the log name what is away." }
    failed_reads = { signal = "errors", severity = "CRITICAL", seconds = 300, query = "${local.queries.failed_reads} > ${local.t.failed_share}",
    title = "Reads fail", text = "/readyz and the log name what is away." }
    rejected = { signal = "errors", severity = "WARNING", seconds = 900, query = "${local.queries.rejected_share} > ${local.t.rejected_share}",
    title = "Many events are refused", text = "By reason: viewmill_ingest_rejected_events_total. They are in the dead letters, whole: viewmill dead-letters list." }
    in_flight = { signal = "saturation", severity = "WARNING", seconds = 300, query = "${local.queries.in_flight} > ${0.8 * var.max_in_flight_bytes}",
    title = "An ingest instance is nearly full", text = "Beyond http.maxInFlightBytes requests are answered 429. More instances, or find out what holds them: the log's latency." }
    event_loop = { signal = "saturation", severity = "WARNING", seconds = 600, query = "${local.queries.event_loop} > 0.5",
    title = "An instance is out of CPU", text = "Node's event loop is late by half a second: fewer requests an instance, or more CPU." }
    behind = { signal = "counting", severity = "CRITICAL", seconds = 300, query = "${local.queries.behind} > ${local.t.behind_seconds}",
    title = "Counts are behind", text = "completeThrough of the read API: which minutes do not balance is in /v1/ledger; docs/operations.md." }
    undecodable = { signal = "dead letters", severity = "WARNING", seconds = 0, query = "${local.queries.undecodable} > 0",
    title = "The archiver cannot read messages", text = "Its log names them. The job has the same messages as dead letters: viewmill dead-letters list." }
    audit_left = { signal = "audit", severity = "CRITICAL", seconds = 0, query = "${local.queries.audit_left} > 0",
    title = "The newest audit left differences", text = "GET /v1/audits, and the job's log. viewmill audit --from --to --repair corrects." }
    audit_silent = { signal = "audit", severity = "CRITICAL", seconds = 0, query = "${local.queries.audit_age} > ${60 * local.t.audit_silent_minutes}",
    title = "No audit for a long time", text = "Look at the scheduler's and the Cloud Run job's last executions. Without events there is nothing to audit." }
    }, local.t.quiet_minutes == 0 ? {} : {
    quiet = { signal = "traffic", severity = "CRITICAL", seconds = 60 * local.t.quiet_minutes, query = "(${local.queries.accepted} or vector(0)) == 0",
    title = "No events come in", text = "No event was accepted for ${local.t.quiet_minutes} minutes." }
  })

  services     = "resource.type = \"cloud_run_revision\" AND resource.labels.service_name = starts_with(\"${var.service_prefix}\")"
  subscription = { for role, name in var.subscriptions : role => "resource.type = \"pubsub_subscription\" AND resource.labels.subscription_id = \"${name}\"" }
  dataflow     = "resource.type = \"dataflow_job\" AND resource.labels.job_name = \"${var.job_name}\""
  bigtable     = "resource.type = \"bigtable_cluster\" AND resource.labels.instance = \"${var.bigtable_instance}\""
  audits       = "resource.type = \"cloud_run_job\" AND resource.labels.job_name = one_of(${join(", ", [for name in var.audit_jobs : "\"${name}\""])})"

  metrics = {
    requests      = { filter = "metric.type = \"run.googleapis.com/request_count\" AND ${local.services}", align = "ALIGN_RATE", reduce = "REDUCE_SUM" }
    latencies     = { filter = "metric.type = \"run.googleapis.com/request_latencies\" AND ${local.services}", align = "ALIGN_PERCENTILE_99", reduce = "REDUCE_MAX" }
    cpu           = { filter = "metric.type = \"run.googleapis.com/container/cpu/utilizations\" AND ${local.services}", align = "ALIGN_PERCENTILE_95", reduce = "REDUCE_MAX" }
    memory        = { filter = "metric.type = \"run.googleapis.com/container/memory/utilizations\" AND ${local.services}", align = "ALIGN_PERCENTILE_95", reduce = "REDUCE_MAX" }
    instances     = { filter = "metric.type = \"run.googleapis.com/container/instance_count\" AND ${local.services}", align = "ALIGN_MAX", reduce = "REDUCE_SUM" }
    stream_age    = { filter = "metric.type = \"pubsub.googleapis.com/subscription/oldest_unacked_message_age\" AND ${local.subscription.stream}", align = "ALIGN_MAX", reduce = "REDUCE_MAX" }
    archive_age   = { filter = "metric.type = \"pubsub.googleapis.com/subscription/oldest_unacked_message_age\" AND ${local.subscription.archive}", align = "ALIGN_MAX", reduce = "REDUCE_MAX" }
    undeliverable = { filter = "metric.type = \"pubsub.googleapis.com/subscription/num_undelivered_messages\" AND ${local.subscription.undeliverable}", align = "ALIGN_MAX", reduce = "REDUCE_MAX" }
    dead_letters  = { filter = "metric.type = \"pubsub.googleapis.com/subscription/num_undelivered_messages\" AND ${local.subscription.dead_letters}", align = "ALIGN_MAX", reduce = "REDUCE_MAX" }
    watermark     = { filter = "metric.type = \"dataflow.googleapis.com/job/data_watermark_age\" AND ${local.dataflow}", align = "ALIGN_MAX", reduce = "REDUCE_MAX" }
    system_lag    = { filter = "metric.type = \"dataflow.googleapis.com/job/system_lag\" AND ${local.dataflow}", align = "ALIGN_MAX", reduce = "REDUCE_MAX" }
    job_failed    = { filter = "metric.type = \"dataflow.googleapis.com/job/is_failed\" AND ${local.dataflow}", align = "ALIGN_MAX", reduce = "REDUCE_MAX" }
    bigtable_cpu  = { filter = "metric.type = \"bigtable.googleapis.com/cluster/cpu_load\" AND ${local.bigtable}", align = "ALIGN_MAX", reduce = "REDUCE_MAX" }
    bigtable_disk = { filter = "metric.type = \"bigtable.googleapis.com/cluster/storage_utilization\" AND ${local.bigtable}", align = "ALIGN_MAX", reduce = "REDUCE_MAX" }
    audit_failed  = { filter = "metric.type = \"run.googleapis.com/job/completed_execution_count\" AND metric.labels.result = \"failed\" AND ${local.audits}", align = "ALIGN_DELTA", reduce = "REDUCE_SUM" }
    tier_failed   = { filter = "metric.type = \"run.googleapis.com/job/completed_execution_count\" AND metric.labels.result = \"failed\" AND resource.type = \"cloud_run_job\" AND resource.labels.job_name = \"${var.tier_job}\"", align = "ALIGN_DELTA", reduce = "REDUCE_SUM" }
    audit_cells   = { filter = "metric.type = \"logging.googleapis.com/user/${google_logging_metric.audit_differences.name}\" AND resource.type = \"cloud_run_job\"", align = "ALIGN_DELTA", reduce = "REDUCE_SUM" }
  }
  metric_alerts = {
    cpu = { signal = "saturation", severity = "WARNING", seconds = 600, above = local.t.cpu_share, metric = local.metrics.cpu,
    title = "A service is short of CPU", text = "More instances, or fewer requests an instance." }
    memory = { signal = "saturation", severity = "WARNING", seconds = 300, above = local.t.memory_share, metric = local.metrics.memory,
    title = "A service is short of memory", text = "Beyond its limit an instance is killed; clients try again." }
    bigtable_cpu = { signal = "saturation", severity = "WARNING", seconds = 900, above = 0.9, metric = local.metrics.bigtable_cpu,
    title = "Bigtable is short of CPU", text = "Autoscaling is at its bound, or has not caught up." }
    bigtable_disk = { signal = "saturation", severity = "WARNING", seconds = 3600, above = 0.7, metric = local.metrics.bigtable_disk,
    title = "Bigtable is short of disk", text = "Bigtable adds nodes for disk as well, up to the bound." }
    stream_age = { signal = "backlog", severity = "CRITICAL", seconds = 300, above = local.t.unacked_seconds, metric = local.metrics.stream_age,
    title = "The job does not read", text = "The oldest message of the stream's subscription. viewmill pipeline status; after topic_days messages are gone from it." }
    archive_age = { signal = "backlog", severity = "CRITICAL", seconds = 300, above = local.t.unacked_seconds, metric = local.metrics.archive_age,
    title = "The archiver does not read", text = "The oldest message of the archiver's subscription. Nothing is lost until topic_days have passed." }
    undeliverable = { signal = "dead letters", severity = "CRITICAL", seconds = 0, above = 0, metric = local.metrics.undeliverable,
    title = "Messages left the archiver's subscription", text = "Delivered as often as allowed and never acknowledged. They are held whole: publish them again to the topic once the archiver is well." }
    dead_letters = { signal = "dead letters", severity = "WARNING", seconds = 0, above = local.t.dead_letters, metric = local.metrics.dead_letters,
    title = "There are dead letters", text = "viewmill dead-letters list, then replay; pull the holding subscription to make this quiet." }
    watermark = { signal = "counting", severity = "CRITICAL", seconds = 300, above = local.t.watermark_seconds, metric = local.metrics.watermark,
    title = "The job's watermark is old", text = "Windows do not end: a worker hangs, or the source has stopped." }
    system_lag = { signal = "counting", severity = "WARNING", seconds = 300, above = local.t.watermark_seconds, metric = local.metrics.system_lag,
    title = "The job is slow", text = "More workers (dataflow.maxWorkers), or Bigtable is slow." }
    job_failed = { signal = "errors", severity = "CRITICAL", seconds = 0, above = 0, metric = local.metrics.job_failed,
    title = "The job has failed", text = "docs/google-cloud.md: take over. Messages wait in the subscription." }
    audit_failed = { signal = "audit", severity = "CRITICAL", seconds = 0, above = 0, metric = local.metrics.audit_failed,
    title = "An audit ended badly", text = "3: differences left, 4: could not compare, 1: did not get to it. The job's log has the report." }
    tier_failed = { signal = "tiering", severity = "WARNING", seconds = 0, above = 0, metric = local.metrics.tier_failed,
    title = "A tiering ended badly", text = "Old minutes and hours stay in the tables, which grow; nothing is lost. The next run goes on where this one ended; the job's log says why it did." }
    audit_cells = { signal = "audit", severity = "WARNING", seconds = 0, above = 0, metric = local.metrics.audit_cells,
    title = "An audit found different cells", text = "Repaired or not: the stream and the archive counted differently. The log line before names the range." }
  }
}

# Of the report that `viewmill audit` prints: a line a field (cli/commands/audit.ts).
resource "google_logging_metric" "audit_differences" {
  name        = "${var.name}/audit-differences"
  description = "Reports of audits that found cells which differ"
  filter      = "${local.audits_log} AND textPayload =~ \"^cells differing +[1-9]\""

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"
  }
}

locals {
  audits_log = "resource.type = \"cloud_run_job\" AND resource.labels.job_name = (${join(" OR ", [for name in var.audit_jobs : "\"${name}\""])})"
}

resource "google_monitoring_notification_channel" "email" {
  for_each = toset(var.emails)

  display_name = "${var.name}: ${each.value}"
  type         = "email"
  labels       = { email_address = each.value }
}

resource "google_monitoring_alert_policy" "prometheus" {
  for_each = { for name, alert in local.prometheus_alerts : name => alert if var.scraped }

  display_name          = "${var.name}: ${each.value.title}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = [for channel in google_monitoring_notification_channel.email : channel.name]
  user_labels           = merge(var.labels, { signal = replace(each.value.signal, " ", "-") })

  documentation {
    content   = each.value.text
    mime_type = "text/markdown"
  }

  conditions {
    display_name = each.value.title
    condition_prometheus_query_language {
      query               = each.value.query
      duration            = "${each.value.seconds}s"
      evaluation_interval = "60s"
      # Metrics that never came, as on the first day, are unknown to Cloud Monitoring.
      disable_metric_validation = true
    }
  }
}

resource "google_monitoring_alert_policy" "metric" {
  for_each = local.metric_alerts

  display_name          = "${var.name}: ${each.value.title}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = [for channel in google_monitoring_notification_channel.email : channel.name]
  user_labels           = merge(var.labels, { signal = replace(each.value.signal, " ", "-") })

  documentation {
    content   = each.value.text
    mime_type = "text/markdown"
  }

  conditions {
    display_name = each.value.title
    condition_threshold {
      filter          = each.value.metric.filter
      comparison      = "COMPARISON_GT"
      threshold_value = each.value.above
      duration        = "${each.value.seconds}s"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = each.value.metric.align
        cross_series_reducer = each.value.metric.reduce
      }
    }
  }
}
