output "topic" {
  value = google_pubsub_topic.this["events"].name
}

output "dead_letter_topic" {
  value = google_pubsub_topic.this["dead_letters"].name
}

output "stream_subscription" {
  value = google_pubsub_subscription.stream.name
}

output "archive_subscription" {
  value = google_pubsub_subscription.archive.name
}

output "undeliverable_subscription" {
  value = google_pubsub_subscription.holding["undeliverable"].name
}

output "dead_letters_subscription" {
  value = google_pubsub_subscription.holding["dead_letters"].name
}
