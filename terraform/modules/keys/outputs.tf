output "operator_secret" {
  description = "Name of the secret that holds the operator's key."
  value       = google_secret_manager_secret.operator.secret_id
}

output "collector_secret" {
  description = "Name of the secret that holds the collector's configuration."
  value       = google_secret_manager_secret.collector.secret_id
}
