resource "google_artifact_registry_repository" "this" {
  #checkov:skip=CKV_GCP_84:images are encrypted with Google's keys; keys of one's own belong to the project's rules, not to an example
  repository_id = var.name
  location      = var.region
  format        = "DOCKER"
  description   = "Viewmill: images of the services and of the Dataflow workers"
  labels        = var.labels

  docker_config {
    # A tag that was tested stays what was tested.
    immutable_tags = true
  }

  # What runs is kept: the newest versions of each image, however old.
  cleanup_policies {
    id     = "keep-newest"
    action = "KEEP"
    most_recent_versions {
      keep_count = 20
    }
  }

  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"
    condition {
      older_than = "${180 * 86400}s"
    }
  }
}

# Cloud Run pulls as an agent of Google's; Dataflow as the worker; the deployer looks at the image before it submits a job.
resource "google_artifact_registry_repository_iam_member" "reader" {
  for_each = toset(["worker", "deployer"])

  location   = google_artifact_registry_repository.this.location
  repository = google_artifact_registry_repository.this.name
  role       = "roles/artifactregistry.reader"
  member     = var.members[each.key]
}

resource "google_artifact_registry_repository_iam_member" "pusher" {
  for_each = toset(var.pushers)

  location   = google_artifact_registry_repository.this.location
  repository = google_artifact_registry_repository.this.name
  role       = "roles/artifactregistry.writer"
  member     = each.value
}
