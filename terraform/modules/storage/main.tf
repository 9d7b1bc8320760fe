locals {
  # Viewmill keeps everything in one bucket, each kind below a folder of its own (docs/cloud-storage.md).
  # `viewmill tier` deletes archived events and dead letters; their rules of age are a net behind it. Roll-ups stay for ever.
  folders = {
    archive      = { prefix = "archive/", days = var.retention.archive_days }
    claims       = { prefix = "claims/", days = var.retention.claims_days }
    dead_letters = { prefix = "dead-letters/", days = var.retention.archive_days }
    findings     = { prefix = "audits/", days = var.retention.findings_days }
    rollups      = { prefix = "rollups/", days = 0 }
  }
  # An event this old waits for an audit: the others were deleted a month ago, before a cold class would have paid.
  cold_days = var.retention.raw_days + 30
}

resource "google_storage_bucket" "data" {
  #checkov:skip=CKV_GCP_62:reads and writes are in Cloud Audit Logs where the project turns data access logs on; a log bucket would need one itself
  #checkov:skip=CKV_GCP_78:an object is written once, or again with the same bytes; soft delete covers what is deleted by mistake
  name                        = "${var.name}-data"
  location                    = var.location
  storage_class               = "STANDARD"
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = !var.protected
  labels                      = var.labels

  soft_delete_policy {
    retention_duration_seconds = 7 * 86400
  }

  lifecycle_rule {
    action {
      type          = "SetStorageClass"
      storage_class = var.cold_class
    }
    condition {
      age                   = local.cold_days
      matches_prefix        = [local.folders.archive.prefix]
      matches_storage_class = ["STANDARD"]
    }
  }

  dynamic "lifecycle_rule" {
    for_each = { for kind, folder in local.folders : kind => folder if folder.days > 0 }
    content {
      action {
        type = "Delete"
      }
      condition {
        age            = lifecycle_rule.value.days
        matches_prefix = [lifecycle_rule.value.prefix]
      }
    }
  }
}

# Staged graphs are read again whenever a worker starts, however long the job runs: nothing here is deleted by age.
resource "google_storage_bucket" "staging" {
  #checkov:skip=CKV_GCP_62:holds what a job is made of, written by the deployer alone
  #checkov:skip=CKV_GCP_78:staged files are named after their content; temporary ones are rubbish once a job has ended
  name                        = "${var.name}-staging"
  location                    = var.location
  storage_class               = "STANDARD"
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = true
  labels                      = var.labels

  soft_delete_policy {
    retention_duration_seconds = 0
  }
}

# A folder that can be granted: no program may touch what another one writes.
resource "google_storage_managed_folder" "this" {
  for_each = local.folders

  bucket        = google_storage_bucket.data.name
  name          = each.value.prefix
  force_destroy = !var.protected
}

locals {
  writes = "roles/storage.objectUser"
  reads  = "roles/storage.objectViewer"
  folder_roles = {
    # Archive and findings are for audits that run on Dataflow.
    worker   = { claims = local.reads, dead_letters = local.writes, archive = local.reads, findings = local.writes, rollups = local.reads }
    ingest   = { claims = local.writes, dead_letters = local.writes, rollups = local.reads }
    query    = { dead_letters = local.reads, rollups = local.reads }
    archiver = { archive = local.writes, claims = local.reads }
    audit    = { archive = local.reads, dead_letters = local.reads, findings = local.writes, rollups = local.reads }
    # It deletes what is past its retention.
    tier = { archive = local.writes, dead_letters = local.writes, rollups = local.writes }
  }
  folder_grants = {
    for grant in flatten([for program, folders in local.folder_roles : [
      for folder, role in folders : { program = program, folder = folder, role = role }
    ]]) : "${grant.program}/${grant.folder}" => grant
  }
}

resource "google_storage_managed_folder_iam_member" "program" {
  for_each = local.folder_grants

  bucket         = google_storage_bucket.data.name
  managed_folder = google_storage_managed_folder.this[each.value.folder].name
  role           = each.value.role
  member         = var.members[each.value.program]
}

resource "google_storage_bucket_iam_member" "staging" {
  for_each = toset(["worker", "deployer"])

  bucket = google_storage_bucket.staging.name
  role   = local.writes
  member = var.members[each.key]
}

# Before a job is made it is asked whether the caller may use the bucket as a whole; whoever submits code that runs as the worker could do so anyway.
resource "google_storage_bucket_iam_member" "deployer" {
  bucket = google_storage_bucket.data.name
  role   = local.writes
  member = var.members["deployer"]
}
