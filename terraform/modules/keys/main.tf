# The operator's key: with it the first keys are made. Its value never passes through Terraform, whose state would keep it: `gcloud secrets versions add`.
resource "google_secret_manager_secret" "operator" {
  #checkov:skip=CKV_GCP_224:secrets are encrypted with Google's keys; keys of one's own belong to the project's rules, not to an example
  secret_id = "${var.name}-operator-key"
  labels    = var.labels

  replication {
    auto {}
  }
}

resource "google_secret_manager_secret_iam_member" "reader" {
  for_each = var.readers

  secret_id = google_secret_manager_secret.operator.secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = each.value
}

# No secret: how Google's collector is told which port to scrape. It reads its configuration from a file, and Cloud Run mounts files from Secret Manager.
resource "google_secret_manager_secret" "collector" {
  #checkov:skip=CKV_GCP_224:it holds a port number
  secret_id = "${var.name}-collector"
  labels    = var.labels

  replication {
    auto {}
  }
}

resource "google_secret_manager_secret_version" "collector" {
  secret = google_secret_manager_secret.collector.id
  secret_data = yamlencode({
    apiVersion = "monitoring.googleapis.com/v1beta"
    kind       = "RunMonitoring"
    metadata   = { name = var.name }
    spec       = { endpoints = [{ port = var.metrics_port, path = "/metrics", interval = "30s" }] }
  })
}

resource "google_secret_manager_secret_iam_member" "collector" {
  for_each = var.readers

  secret_id = google_secret_manager_secret.collector.secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = each.value
}
