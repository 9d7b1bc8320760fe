locals {
  scheduled = { for name, job in var.jobs : name => job if job.schedule != null }
}

resource "google_cloud_run_v2_job" "this" {
  for_each = var.jobs

  name     = "${var.name}-${each.key}"
  location = var.region
  # A job is no more than how to start something.
  deletion_protection = false
  labels              = var.labels

  template {
    task_count  = 1
    parallelism = 1

    template {
      service_account = each.value.account
      timeout         = "${each.value.timeout_seconds}s"
      # An audit that finds differences ends with 3: trying again finds them again. The next hour's looks at the same hours. Tiering goes on the next day.
      max_retries = 0

      containers {
        image = var.image
        args  = each.value.args

        resources {
          limits = { cpu = each.value.cpu, memory = each.value.memory }
        }

        dynamic "env" {
          for_each = each.value.settings
          content {
            name  = env.key
            value = env.value
          }
        }
      }
    }
  }
}

resource "google_cloud_run_v2_job_iam_member" "scheduler" {
  for_each = local.scheduled

  name     = google_cloud_run_v2_job.this[each.key].name
  location = var.region
  role     = "roles/run.invoker"
  member   = var.scheduler.member
}

resource "google_cloud_scheduler_job" "this" {
  for_each = local.scheduled

  name             = "${var.name}-${each.key}"
  region           = var.region
  schedule         = each.value.schedule
  time_zone        = "Etc/UTC"
  attempt_deadline = "180s"

  retry_config {
    retry_count          = 3
    min_backoff_duration = "10s"
    max_backoff_duration = "300s"
  }

  http_target {
    http_method = "POST"
    uri         = "https://run.googleapis.com/v2/projects/${var.project}/locations/${var.region}/jobs/${google_cloud_run_v2_job.this[each.key].name}:run"

    oauth_token {
      service_account_email = var.scheduler.email
      scope                 = "https://www.googleapis.com/auth/cloud-platform"
    }
  }
}

locals {
  by_hand = flatten([for name, job in var.jobs : [for member in var.deployers : { job = name, member = member }] if job.schedule == null])
}

resource "google_cloud_run_v2_job_iam_member" "deployer" {
  for_each = { for grant in local.by_hand : "${grant.job}/${grant.member}" => grant }

  name     = google_cloud_run_v2_job.this[each.value.job].name
  location = var.region
  role     = "roles/run.jobsExecutorWithOverrides"
  member   = each.value.member
}
