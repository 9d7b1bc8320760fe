output "bucket" {
  value = google_storage_bucket.data.name
}

output "staging_bucket" {
  value = google_storage_bucket.staging.name
}

output "prefixes" {
  description = "Kind to the folder it is below."
  value       = { for kind, folder in local.folders : kind => folder.prefix }
}
