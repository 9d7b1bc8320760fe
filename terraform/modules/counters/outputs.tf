output "instance" {
  value = google_bigtable_instance.this.name
}

output "table_prefix" {
  value = var.name
}

output "writers_profile" {
  value = google_bigtable_app_profile.writers.app_profile_id
}

output "readers_profile" {
  value = google_bigtable_app_profile.readers.app_profile_id
}
