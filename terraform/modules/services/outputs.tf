output "urls" {
  description = "Service to its address."
  value       = { for name, service in google_cloud_run_v2_service.this : name => service.uri }
}

output "names" {
  description = "Service to its name in Cloud Run."
  value       = { for name, service in google_cloud_run_v2_service.this : name => service.name }
}
