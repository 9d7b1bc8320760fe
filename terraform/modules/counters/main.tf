# The same tables that `viewmill bigtable init` makes (io/bigtable/tables.ts; docs/decisions/0006-bigtable-rows.md): a test holds one against the other.
locals {
  families = {
    minutes   = ["m", "w"]
    summaries = ["h", "d", "mo", "t", "w"]
    ledger    = ["o", "g", "s", "b", "p", "a", "r", "t"]
  }
  # 16 salts, one tablet each to begin with.
  split_keys = [for salt in range(1, 16) : format("%02x#", salt)]
  # Timestamps of cells are versions, not times: no family may have a rule of age, but those of the writers' marks and of receipt stamps. `viewmill tier` deletes old cells.
  max_ages        = { "minutes/w" = "168h", "summaries/w" = "168h", "ledger/t" = "1h" }
  sequence        = "s"
  first_cluster   = "${var.name}-${var.zone}"
  replica_cluster = "${var.name}-${var.replica_zone}"
  # Writers and readers always meet at one cluster: replication has no order across rows, so that a replica could say completeThrough before it has the counts.
  serving_cluster = var.failed_over ? local.replica_cluster : local.first_cluster
  int64_sum = jsonencode({
    aggregateType = {
      inputType = { int64Type = { encoding = { bigEndianBytes = {} } } }
      sum       = {}
    }
  })
  columns = {
    for column in flatten([for table, families in local.families : [
      for family in families : { table = table, family = family }
    ]]) : "${column.table}/${column.family}" => column
  }
}

resource "google_bigtable_instance" "this" {
  #checkov:skip=CKV_GCP_122:on unless an environment says var.protected = false, as environments/dev does to be thrown away
  #checkov:skip=CKV_GCP_85:counters are encrypted with Google's keys; keys of one's own belong to the project's rules, not to an example
  name                = var.name
  display_name        = var.name
  deletion_protection = var.protected
  labels              = var.labels

  cluster {
    cluster_id   = local.first_cluster
    zone         = var.zone
    storage_type = var.nodes.storage_type

    autoscaling_config {
      min_nodes  = var.nodes.min
      max_nodes  = var.nodes.max
      cpu_target = var.nodes.cpu_target
    }
  }

  dynamic "cluster" {
    for_each = var.replica_zone == "" ? [] : [var.replica_zone]
    content {
      cluster_id   = local.replica_cluster
      zone         = cluster.value
      storage_type = var.nodes.storage_type

      autoscaling_config {
        min_nodes  = var.nodes.min
        max_nodes  = var.nodes.max
        cpu_target = var.nodes.cpu_target
      }
    }
  }
}

resource "google_bigtable_table" "this" {
  for_each = local.families

  name                = "${var.name}-${each.key}"
  instance_name       = google_bigtable_instance.this.name
  split_keys          = each.key == "ledger" ? [] : local.split_keys
  deletion_protection = var.protected ? "PROTECTED" : "UNPROTECTED"

  dynamic "column_family" {
    for_each = each.value
    content {
      family = column_family.value
      type   = each.key == "ledger" && column_family.value == local.sequence ? local.int64_sum : null
    }
  }

  dynamic "automated_backup_policy" {
    for_each = var.backup ? [1] : []
    content {
      frequency        = "24h"
      retention_period = "168h"
    }
  }

  lifecycle {
    # They are where a table begins to be split; another value would make it anew, empty.
    ignore_changes = [split_keys]
  }
}

resource "google_bigtable_gc_policy" "this" {
  # Sums have nothing to collect.
  for_each = { for key, column in local.columns : key => column if key != "ledger/${local.sequence}" }

  instance_name   = google_bigtable_instance.this.name
  table           = google_bigtable_table.this[each.value.table].name
  column_family   = each.value.family
  mode            = contains(keys(local.max_ages), each.key) ? "UNION" : null
  deletion_policy = "ABANDON"

  max_version {
    number = 1
  }

  dynamic "max_age" {
    for_each = contains(keys(local.max_ages), each.key) ? [local.max_ages[each.key]] : []
    content {
      duration = max_age.value
    }
  }
}

# What is written must be read at once: both profiles route to the one cluster. Writers also repair damage by check-and-mutate.
resource "google_bigtable_app_profile" "writers" {
  instance       = google_bigtable_instance.this.name
  app_profile_id = "writers"
  description    = "Workers of the job, ingest service, archiver, audit, tiering"

  single_cluster_routing {
    cluster_id                 = local.serving_cluster
    allow_transactional_writes = true
  }
}

resource "google_bigtable_app_profile" "readers" {
  instance       = google_bigtable_instance.this.name
  app_profile_id = "readers"
  description    = "Query service"

  single_cluster_routing {
    cluster_id                 = local.serving_cluster
    allow_transactional_writes = false
  }

  standard_isolation {
    priority = "PRIORITY_HIGH"
  }
}

# For whoever may read what is some seconds old, and must not slow the service: exports, notebooks. Nothing of Viewmill's own uses the profile.
resource "google_bigtable_app_profile" "replica" {
  count = var.replica_zone == "" ? 0 : 1

  instance       = google_bigtable_instance.this.name
  app_profile_id = "replica"
  description    = "Reads that may be behind"

  single_cluster_routing {
    cluster_id                 = var.failed_over ? local.first_cluster : local.replica_cluster
    allow_transactional_writes = false
  }

  standard_isolation {
    priority = "PRIORITY_LOW"
  }
}

locals {
  # The archiver keeps books, and counts nothing.
  table_roles = {
    worker   = { for table in keys(local.families) : table => "roles/bigtable.user" }
    audit    = { for table in keys(local.families) : table => "roles/bigtable.user" }
    tier     = { for table in keys(local.families) : table => "roles/bigtable.user" }
    archiver = { ledger = "roles/bigtable.user" }
    # What it has accepted, and the stamps of events without a time, are in the ledger.
    ingest = merge({ for table in keys(local.families) : table => "roles/bigtable.reader" }, { ledger = "roles/bigtable.user" })
    # The last use of keys, and their revocation, are in the ledger.
    query = merge({ for table in keys(local.families) : table => "roles/bigtable.reader" }, { ledger = "roles/bigtable.user" })
    # Whether they are there is looked at before a job is made.
    deployer = { for table in keys(local.families) : table => "roles/bigtable.viewer" }
  }
  grants = {
    for grant in flatten([for program, tables in local.table_roles : [
      for table, role in tables : { program = program, table = table, role = role }
    ]]) : "${grant.program}/${grant.table}" => grant
  }
}

resource "google_bigtable_table_iam_member" "program" {
  for_each = local.grants

  instance_name = google_bigtable_instance.this.name
  table         = google_bigtable_table.this[each.value.table].name
  role          = each.value.role
  member        = var.members[each.value.program]
}

resource "google_bigtable_instance_iam_member" "deployer" {
  instance = google_bigtable_instance.this.name
  role     = "roles/bigtable.viewer"
  member   = var.members["deployer"]
}
