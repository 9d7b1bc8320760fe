locals {
  charts = concat(
    [for chart in [
      { title = "Traffic: events accepted a second", queries = [local.queries.accepted, local.queries.archived] },
      { title = "Errors: events refused a second, by reason", queries = [local.queries.rejected] },
      { title = "Latency: writes and reads, 99th percentile, seconds", queries = [local.queries.ingest_latency, local.queries.query_latency] },
      { title = "Errors: share of failed writes and reads", queries = [local.queries.failed_writes, local.queries.failed_reads] },
      { title = "Saturation: bytes in flight, fullest ingest instance", queries = [local.queries.in_flight] },
      { title = "Saturation: event loop, slowest instance, seconds", queries = [local.queries.event_loop] },
      { title = "Counting: seconds behind", queries = [local.queries.behind] },
      { title = "Audit: cells the newest found different", queries = [local.queries.audit_differing] },
      ] : {
      title = chart.title
      sets  = [for query in chart.queries : { timeSeriesQuery = { prometheusQuery = query }, plotType = "LINE" }]
    } if var.scraped],
    [for chart in [
      { title = "Traffic: requests a second", metrics = [local.metrics.requests] },
      { title = "Latency: Cloud Run, 99th percentile, ms", metrics = [local.metrics.latencies] },
      { title = "Saturation: CPU and memory of the services, share", metrics = [local.metrics.cpu, local.metrics.memory] },
      { title = "Saturation: instances", metrics = [local.metrics.instances] },
      { title = "Backlog: oldest message of stream and archiver, seconds", metrics = [local.metrics.stream_age, local.metrics.archive_age] },
      { title = "Job: age of the watermark and system lag, seconds", metrics = [local.metrics.watermark, local.metrics.system_lag] },
      { title = "Bigtable: CPU and disk, share", metrics = [local.metrics.bigtable_cpu, local.metrics.bigtable_disk] },
      { title = "Dead letters and undeliverable messages held", metrics = [local.metrics.dead_letters, local.metrics.undeliverable] },
      { title = "Audits: ended badly, found differences", metrics = [local.metrics.audit_failed, local.metrics.audit_cells] },
      ] : {
      title = chart.title
      sets = [for metric in chart.metrics : {
        plotType = "LINE"
        timeSeriesQuery = {
          timeSeriesFilter = {
            filter = metric.filter
            aggregation = {
              alignmentPeriod    = "60s"
              perSeriesAligner   = metric.align
              crossSeriesReducer = metric.reduce
            }
          }
        }
      }]
    }],
  )
}

resource "google_monitoring_dashboard" "this" {
  dashboard_json = jsonencode({
    displayName = "${var.name}: counting"
    mosaicLayout = {
      columns = 48
      tiles = [for at, chart in local.charts : {
        xPos   = 24 * (at % 2)
        yPos   = 16 * floor(at / 2)
        width  = 24
        height = 16
        widget = { title = chart.title, xyChart = { dataSets = chart.sets } }
      }]
    }
  })
}
