# The smallest that counts, for trying out: one Bigtable node, services that sleep, everything deleted by `terraform destroy`.
module "viewmill" {
  source = "../../modules/viewmill"

  name         = "viewmill-dev"
  project      = var.project
  region       = var.region
  image_tag    = var.image_tag
  invokers     = var.invokers
  alert_emails = var.alert_emails
  protected    = false
  labels       = { environment = "dev" }

  bigtable = { min = 1, max = 1, backup = false }
  ingest   = { min_instances = 0, max_instances = 2, cpu = "1", memory = "1Gi" }
  query    = { min_instances = 0, max_instances = 2 }
  archiver = { cpu = "1", memory = "1Gi" }
  audit    = { cpu = "2", memory = "4Gi" }
  job      = { name = "viewmill-dev-stream", max_workers = 1 }

  retention = {
    raw_days         = 7
    archive_days     = 30
    topic_days       = 2
    claims_days      = 10
    dead_letter_days = 14
    findings_days    = 30
  }
}
