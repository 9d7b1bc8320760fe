output "dashboard" {
  description = "Its address in the console."
  value       = "https://console.cloud.google.com/monitoring/dashboards?project=${var.project}"
}
