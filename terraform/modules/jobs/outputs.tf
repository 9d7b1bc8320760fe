output "names" {
  description = "Job to its name in Cloud Run."
  value       = { for name, job in google_cloud_run_v2_job.this : name => job.name }
}
