output "repository" {
  description = "Names of the images begin with it."
  value       = module.registry.repository
}

output "urls" {
  description = "Service to its address; empty until there is an image."
  value       = one(module.services[*].urls)
}

output "settings" {
  description = "Of a command line that works on this deployment: lines for a shell."
  value       = join("\n", [for name, value in merge(local.writes, local.counting, local.submits) : "export ${name}='${value}'"])
}

output "dashboard" {
  value = module.monitoring.dashboard
}

output "next" {
  description = "What to do next."
  value = local.runs ? join("\n", [
    "# start counting; --args says otherwise what the command line would (pipeline,update and so on)",
    "gcloud run jobs execute ${var.name}-submit --project=${var.project} --region=${var.region} --wait",
    "# a first event, and its count two minutes later: Cloud Run asks for an identity, Viewmill for a key (docs/google-cloud.md makes narrower ones than the operator's)",
    "KEY=$(gcloud secrets versions access latest --project=${var.project} --secret=${module.keys.operator_secret})",
    "curl -s -H \"X-Serverless-Authorization: Bearer $(gcloud auth print-identity-token)\" -H \"Authorization: Bearer $KEY\" -H 'content-type: application/json' -d '{\"eventId\":\"e-1\",\"videoId\":\"cats-42\",\"eventType\":\"VIEW\"}' ${one(module.services[*].urls)["ingest"]}/v1/events",
    "curl -s -H \"X-Serverless-Authorization: Bearer $(gcloud auth print-identity-token)\" -H \"Authorization: Bearer $KEY\" ${one(module.services[*].urls)["query"]}/v1/videos/cats-42",
    "# the same commands from here: terraform output -raw settings > settings.sh && . ./settings.sh",
    "viewmill bigtable init",
    "viewmill pipeline stream --runner dataflow --dry-run",
    ]) : join("\n", [
    "# the operator's key, which never passes through Terraform",
    "openssl rand -base64 33 | tr -d '\\n' | gcloud secrets versions add ${module.keys.operator_secret} --project=${var.project} --data-file=-",
    "# the images (in the root of the checkout), and then (here) everything that runs them",
    "gcloud auth configure-docker ${var.region}-docker.pkg.dev",
    "TAG=$(git rev-parse --short HEAD)",
    "for part in service worker; do docker build --platform linux/amd64 --file docker/Dockerfile --target $part --tag ${module.registry.repository}/$part:$TAG . && docker push ${module.registry.repository}/$part:$TAG; done",
    "terraform apply -var image_tag=$TAG",
  ])
}
