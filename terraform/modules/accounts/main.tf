# One account a program: what each may do is said where the thing is that it may use.
locals {
  accounts = {
    worker    = "Viewmill: workers of the Dataflow job"
    ingest    = "Viewmill: write API"
    query     = "Viewmill: read API"
    archiver  = "Viewmill: archiver"
    audit     = "Viewmill: strong audit"
    tier      = "Viewmill: moves old cells to roll-ups"
    scheduler = "Viewmill: starts audits and tiering"
    deployer  = "Viewmill: submits, updates and drains the Dataflow job"
  }
  # What shows in Cloud Monitoring is written by the collector beside the program, as the program's account.
  metric_writers = toset(["ingest", "query", "archiver"])
}

resource "google_service_account" "this" {
  for_each = local.accounts

  account_id   = "${var.name}-${each.key}"
  display_name = each.value
}

# Metrics and Dataflow know no smaller thing than the project.
resource "google_project_iam_member" "metric_writer" {
  for_each = local.metric_writers

  project = google_service_account.this[each.key].project
  role    = "roles/monitoring.metricWriter"
  member  = google_service_account.this[each.key].member
}

resource "google_project_iam_member" "worker" {
  project = google_service_account.this["worker"].project
  role    = "roles/dataflow.worker"
  member  = google_service_account.this["worker"].member
}

resource "google_project_iam_member" "deployer" {
  #checkov:skip=CKV_GCP_49:a job belongs to the project, there is nothing smaller to grant; whom its workers act as is granted on that account alone
  for_each = toset([
    "roles/dataflow.developer",
    # Whether the APIs are enabled is looked at before a job is made.
    "roles/serviceusage.serviceUsageViewer",
  ])

  project = google_service_account.this["deployer"].project
  role    = each.value
  member  = google_service_account.this["deployer"].member
}

# A job runs as the worker: whoever makes one must be allowed to let it.
resource "google_service_account_iam_member" "deployer_acts_as_worker" {
  service_account_id = google_service_account.this["worker"].name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.this["deployer"].member
}
