# Settings of every program, as environment variables (cli/config/schema.ts); a test resolves them with Viewmill's own configuration.
locals {
  runs   = var.image_tag != ""
  labels = merge({ app = var.name }, var.labels)
  images = {
    service = "${module.registry.repository}/service:${var.image_tag}"
    worker  = "${module.registry.repository}/worker:${var.image_tag}"
  }
  max_in_flight_bytes = 128 * 1024 * 1024

  settings = {
    VIEWMILL_PROJECT                         = var.project
    VIEWMILL_LOG_LEVEL                       = var.log_level
    VIEWMILL_LOG_KIND                        = "pubsub"
    VIEWMILL_LOG_TOPIC                       = module.event_log.topic
    VIEWMILL_LOG_DEAD_LETTER_TOPIC           = module.event_log.dead_letter_topic
    VIEWMILL_LOG_PUBSUB_STREAM_SUBSCRIPTION  = module.event_log.stream_subscription
    VIEWMILL_LOG_PUBSUB_ARCHIVE_SUBSCRIPTION = module.event_log.archive_subscription
    VIEWMILL_GCS_BUCKET                      = module.storage.bucket
    VIEWMILL_ARCHIVE_KIND                    = "gcs"
    VIEWMILL_ARCHIVE_PREFIX                  = module.storage.prefixes["archive"]
    VIEWMILL_DEAD_LETTERS_KIND               = "gcs"
    VIEWMILL_DEAD_LETTERS_PREFIX             = module.storage.prefixes["dead_letters"]
    VIEWMILL_CLAIMS_KIND                     = "gcs"
    VIEWMILL_CLAIMS_PREFIX                   = module.storage.prefixes["claims"]
    VIEWMILL_COUNTERS_KIND                   = "bigtable"
    VIEWMILL_COUNTERS_INSTANCE               = module.counters.instance
    VIEWMILL_COUNTERS_TABLE_PREFIX           = module.counters.table_prefix
    VIEWMILL_RETENTION_RAW_DAYS              = tostring(var.retention.raw_days)
    VIEWMILL_RETENTION_DEAD_LETTER_DAYS      = tostring(var.retention.dead_letter_days)
    VIEWMILL_TIER_PREFIX                     = module.storage.prefixes["rollups"]
    VIEWMILL_LATENESS_FINAL_AFTER_MINUTES    = tostring(var.retention.final_after_minutes)
  }
  reads  = merge(local.settings, { VIEWMILL_COUNTERS_APP_PROFILE = module.counters.readers_profile })
  writes = merge(local.settings, { VIEWMILL_COUNTERS_APP_PROFILE = module.counters.writers_profile })
  listens = {
    VIEWMILL_HTTP_HOST                = "0.0.0.0"
    VIEWMILL_HTTP_PORT                = "8080"
    VIEWMILL_HTTP_MAX_IN_FLIGHT_BYTES = tostring(local.max_in_flight_bytes)
  }
  # The spread of the counting is part of what a recount in batch has to repeat, so the audits know it, too.
  # Every call needs a key (section 6 of the contract), beside the identity that Cloud Run asks for; the collector beside an instance needs none.
  metrics_port = 8081
  guarded = {
    VIEWMILL_KEYS_OPERATOR_KEY_FILE  = "/secrets/operator/key"
    VIEWMILL_HTTP_OPERATIONS_ENABLED = "true"
    VIEWMILL_HTTP_OPERATIONS_HOST    = "127.0.0.1"
    VIEWMILL_HTTP_OPERATIONS_PORT    = tostring(local.metrics_port)
  }
  counting = {
    VIEWMILL_JOB_NAME              = var.job.name
    VIEWMILL_JOB_RUNNER            = "dataflow"
    VIEWMILL_JOB_DEDUPE_PARTITIONS = tostring(var.job.dedupe_partitions)
    VIEWMILL_JOB_VIDEO_SHARDS      = tostring(var.job.video_shards)
  }
  submits = {
    VIEWMILL_DATAFLOW_REGION          = var.region
    VIEWMILL_DATAFLOW_TEMP_LOCATION   = "gs://${module.storage.staging_bucket}/dataflow"
    VIEWMILL_DATAFLOW_IMAGE           = local.images.worker
    VIEWMILL_DATAFLOW_SERVICE_ACCOUNT = module.accounts.emails["worker"]
    VIEWMILL_DATAFLOW_MACHINE_TYPE    = var.job.machine_type
    VIEWMILL_DATAFLOW_NUM_WORKERS     = tostring(var.job.min_workers)
    VIEWMILL_DATAFLOW_MAX_WORKERS     = tostring(var.job.max_workers)
    VIEWMILL_DATAFLOW_NETWORK         = var.job.network
    VIEWMILL_DATAFLOW_SUBNETWORK      = var.job.subnetwork
    VIEWMILL_DATAFLOW_PUBLIC_IPS      = tostring(var.job.public_ips)
  }

  # Write and read API are one program: what a service may do is what its account may. Both have both APIs; the query service's writes are refused by Pub/Sub.
  services = {
    ingest = merge(var.ingest, {
      args = ["serve"], settings = merge(local.writes, local.listens, local.guarded), account = module.accounts.emails["ingest"], started_path = "/readyz", public_side = true
    })
    query = merge(var.query, {
      args = ["serve"], settings = merge(local.reads, local.listens, local.guarded), account = module.accounts.emails["query"], started_path = "/readyz", public_side = true
    })
    archiver = merge(var.archiver, {
      args        = ["archive", "--health-port", "8080"], settings = merge(local.writes, local.listens), account = module.accounts.emails["archiver"], started_path = "/healthz",
      public_side = false, min_instances = 1, max_instances = 1, concurrency = 10
    })
  }

  audits = { cpu = var.audit.cpu, memory = var.audit.memory, account = module.accounts.emails["audit"], settings = merge(local.writes, local.counting) }
  jobs = {
    audit-hourly = merge(local.audits, {
      args = ["audit", "--hourly", "--repair"], schedule = var.audit.hourly_schedule, timeout_seconds = var.audit.hourly_timeout_seconds
    })
    audit-daily = merge(local.audits, {
      args = ["audit", "--daily", "--repair"], schedule = var.audit.daily_schedule, timeout_seconds = var.audit.daily_timeout_seconds
    })
    # After the daily audit, because only what is audited leaves the tables.
    tier = {
      args = ["tier"], schedule = var.tier.schedule, timeout_seconds = var.tier.timeout_seconds,
      cpu  = var.tier.cpu, memory = var.tier.memory, account = module.accounts.emails["tier"], settings = local.writes
    }
    # Executed by hand: a job that is submitted by itself would be submitted at the wrong time (docs/decisions/0010-google-cloud.md).
    submit = {
      args    = ["pipeline", "stream", "--runner", "dataflow"], settings = merge(local.writes, local.counting, local.submits),
      account = module.accounts.emails["deployer"], cpu = "1", memory = "1Gi", timeout_seconds = 1800, schedule = null
    }
  }
}
