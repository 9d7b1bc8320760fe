output "next" {
  description = "What to do next: terraform output -raw next"
  value       = module.viewmill.next
}

output "settings" {
  description = "For a command line here: terraform output -raw settings"
  value       = module.viewmill.settings
}

output "repository" {
  description = "Names of the images begin with it."
  value       = module.viewmill.repository
}

output "urls" {
  value = module.viewmill.urls
}

output "dashboard" {
  value = module.viewmill.dashboard
}
