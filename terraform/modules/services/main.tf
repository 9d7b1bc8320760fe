resource "google_cloud_run_v2_service" "this" {
  for_each = var.services

  name                = "${var.name}-${each.key}"
  location            = var.region
  ingress             = each.value.public_side ? var.ingress : "INGRESS_TRAFFIC_INTERNAL_ONLY"
  deletion_protection = var.protected
  labels              = var.labels

  template {
    service_account                  = each.value.account
    max_instance_request_concurrency = each.value.concurrency
    timeout                          = "60s"

    scaling {
      min_instance_count = each.value.min_instances
      max_instance_count = each.value.max_instances
    }

    containers {
      name  = "viewmill"
      image = var.image
      args  = each.value.args

      ports {
        container_port = 8080
      }

      resources {
        limits = { cpu = each.value.cpu, memory = each.value.memory }
        # Batches are written, metrics collected and messages pulled between requests as well.
        cpu_idle          = false
        startup_cpu_boost = true
      }

      dynamic "env" {
        for_each = each.value.settings
        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "volume_mounts" {
        for_each = each.value.public_side ? ["operator"] : []
        content {
          name       = volume_mounts.value
          mount_path = "/secrets/operator"
        }
      }

      startup_probe {
        period_seconds    = 5
        timeout_seconds   = 5
        failure_threshold = 24
        http_get {
          path = each.value.started_path
          port = 8080
        }
      }

      # Alive is another question than ready: an instance whose Bigtable is away must not be killed for it.
      liveness_probe {
        period_seconds    = 15
        timeout_seconds   = 5
        failure_threshold = 4
        http_get {
          path = "/healthz"
          port = 8080
        }
      }
    }

    dynamic "containers" {
      for_each = var.collector_image == "" ? [] : [var.collector_image]
      content {
        name       = "collector"
        image      = containers.value
        depends_on = ["viewmill"]

        # The archiver answers /metrics where the collector looks without being told.
        dynamic "volume_mounts" {
          for_each = each.value.public_side ? ["collector"] : []
          content {
            name       = volume_mounts.value
            mount_path = "/etc/rungmp"
          }
        }
      }
    }

    dynamic "volumes" {
      for_each = each.value.public_side ? { operator = "key", collector = "config.yaml" } : {}
      content {
        name = volumes.key
        secret {
          secret = var.secrets[volumes.key]
          items {
            path    = volumes.value
            version = "latest"
          }
        }
      }
    }
  }
}

locals {
  callers = var.public ? ["allUsers"] : var.invokers
  grants = {
    for grant in flatten([for name, service in var.services : [
      for caller in local.callers : { service = name, caller = caller }
    ] if service.public_side]) : "${grant.service}/${grant.caller}" => grant
  }
}

resource "google_cloud_run_v2_service_iam_member" "invoker" {
  for_each = local.grants

  name     = google_cloud_run_v2_service.this[each.value.service].name
  location = var.region
  role     = "roles/run.invoker"
  member   = each.value.caller
}
