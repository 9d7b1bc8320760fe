data "google_project" "this" {
  project_id = var.project
}

module "apis" {
  source = "../apis"
}

module "accounts" {
  source = "../accounts"
  name   = var.name

  depends_on = [module.apis]
}

module "event_log" {
  source             = "../event-log"
  name               = var.name
  project_number     = data.google_project.this.number
  members            = module.accounts.members
  regions            = [var.region]
  topic_days         = var.retention.topic_days
  undeliverable_days = var.retention.undeliverable_days
  producers          = var.producers
  labels             = local.labels

  depends_on = [module.apis]
}

module "counters" {
  source       = "../counters"
  name         = var.name
  zone         = "${var.region}-${var.zone}"
  replica_zone = var.bigtable.replica_zone == "" ? "" : "${var.region}-${var.bigtable.replica_zone}"
  failed_over  = var.bigtable.failed_over
  nodes        = { min = var.bigtable.min, max = var.bigtable.max, cpu_target = var.bigtable.cpu_target, storage_type = var.bigtable.storage_type }
  backup       = var.bigtable.backup
  protected    = var.protected
  members      = module.accounts.members
  labels       = local.labels

  depends_on = [module.apis]
}

module "storage" {
  source     = "../storage"
  name       = "${var.project}-${var.name}"
  location   = var.region
  protected  = var.protected
  cold_class = var.cold_class
  retention = {
    raw_days      = var.retention.raw_days
    archive_days  = var.retention.archive_days
    claims_days   = var.retention.claims_days
    findings_days = var.retention.findings_days
  }
  members = module.accounts.members
  labels  = local.labels

  depends_on = [module.apis]
}

module "registry" {
  source  = "../registry"
  name    = var.name
  region  = var.region
  members = module.accounts.members
  pushers = var.pushers
  labels  = local.labels

  depends_on = [module.apis]
}

module "keys" {
  source       = "../keys"
  name         = var.name
  readers      = { for program in ["ingest", "query"] : program => module.accounts.members[program] }
  metrics_port = local.metrics_port
  labels       = local.labels

  depends_on = [module.apis]
}

module "services" {
  source = "../services"
  count  = local.runs ? 1 : 0

  name            = var.name
  region          = var.region
  image           = local.images.service
  services        = local.services
  invokers        = var.invokers
  public          = var.public
  ingress         = var.ingress
  collector_image = var.collector_image
  secrets         = { operator = module.keys.operator_secret, collector = module.keys.collector_secret }
  protected       = var.protected
  labels          = local.labels

  # An instance that may not read yet does not become ready.
  depends_on = [module.event_log, module.counters, module.storage, module.keys]
}

module "jobs" {
  source = "../jobs"
  count  = local.runs ? 1 : 0

  name      = var.name
  project   = var.project
  region    = var.region
  image     = local.images.service
  jobs      = local.jobs
  scheduler = { email = module.accounts.emails["scheduler"], member = module.accounts.members["scheduler"] }
  deployers = var.deployers
  labels    = local.labels

  depends_on = [module.event_log, module.counters, module.storage]
}

module "monitoring" {
  source = "../monitoring"

  name              = var.name
  project           = var.project
  job_name          = var.job.name
  service_prefix    = "${var.name}-"
  audit_jobs        = ["${var.name}-audit-hourly", "${var.name}-audit-daily"]
  tier_job          = "${var.name}-tier"
  bigtable_instance = module.counters.instance
  subscriptions = {
    stream        = module.event_log.stream_subscription
    archive       = module.event_log.archive_subscription
    undeliverable = module.event_log.undeliverable_subscription
    dead_letters  = module.event_log.dead_letters_subscription
  }
  # Before there are services, silence is no alarm.
  scraped             = local.runs && var.collector_image != ""
  max_in_flight_bytes = local.max_in_flight_bytes
  emails              = var.alert_emails
  thresholds          = var.alert_thresholds
  labels              = local.labels
}
