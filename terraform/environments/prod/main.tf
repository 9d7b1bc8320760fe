# Some tens of thousands of events a second; `viewmill plan` says what other numbers need (docs/scale.md).
module "viewmill" {
  source = "../../modules/viewmill"

  project      = var.project
  region       = var.region
  image_tag    = var.image_tag
  invokers     = var.invokers
  alert_emails = var.alert_emails
  labels       = { environment = "prod" }

  bigtable = { min = 3, max = 12, replica_zone = "c" }
  ingest   = { min_instances = 3, max_instances = 50 }
  query    = { min_instances = 2, max_instances = 20, cpu = "2", memory = "2Gi" }
  archiver = { cpu = "4", memory = "4Gi" }
  job      = { machine_type = "n2-standard-4", min_workers = 3, max_workers = 20, dedupe_partitions = 64, video_shards = 32 }

  alert_thresholds = { quiet_minutes = 15 }
}
