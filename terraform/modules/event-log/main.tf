locals {
  day_seconds = 86400
  # What a subscription keeps at most; the topic keeps for longer, and a job that takes over reads from there.
  most_days = 7
  topics = {
    events = { name = "${var.name}-events", days = var.topic_days, schema = var.schema }
    # Dead letters that Viewmill publishes beside keeping them (log.deadLetterTopic).
    dead_letters = { name = "${var.name}-dead-letters", days = var.undeliverable_days, schema = "" }
    # Messages that Pub/Sub gave up to deliver, whole.
    undeliverable = { name = "${var.name}-undeliverable", days = var.undeliverable_days, schema = "" }
  }
  pubsub_agent = "serviceAccount:service-${var.project_number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

resource "google_pubsub_topic" "this" {
  #checkov:skip=CKV_GCP_83:messages are encrypted with Google's keys; keys of one's own belong to the project's rules, not to an example
  for_each = local.topics

  name                       = each.value.name
  message_retention_duration = "${each.value.days * local.day_seconds}s"
  labels                     = var.labels

  message_storage_policy {
    allowed_persistence_regions = var.regions
  }

  dynamic "schema_settings" {
    for_each = each.value.schema == "" ? [] : [each.value.schema]
    content {
      schema   = schema_settings.value
      encoding = "JSON"
    }
  }
}

# Read by Dataflow, which has no dead-letter policy here on purpose: Dataflow returns messages for reasons of its own (a worker that stops), so
# Pub/Sub would take good ones away from the count. What cannot be decoded is a dead letter of the job itself.
resource "google_pubsub_subscription" "stream" {
  name                         = "${var.name}-stream"
  topic                        = google_pubsub_topic.this["events"].id
  ack_deadline_seconds         = 60
  message_retention_duration   = "${min(var.topic_days, local.most_days) * local.day_seconds}s"
  enable_exactly_once_delivery = false
  enable_message_ordering      = false
  labels                       = var.labels

  # Never: 31 days without a job would delete it, with its messages.
  expiration_policy {
    ttl = ""
  }
}

resource "google_pubsub_subscription" "archive" {
  name                         = "${var.name}-archive"
  topic                        = google_pubsub_topic.this["events"].id
  ack_deadline_seconds         = 60
  message_retention_duration   = "${min(var.topic_days, local.most_days) * local.day_seconds}s"
  enable_exactly_once_delivery = false
  enable_message_ordering      = false
  labels                       = var.labels

  expiration_policy {
    ttl = ""
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.this["undeliverable"].id
    max_delivery_attempts = var.max_delivery_attempts
  }

  # With the attempts above, an outage of the archive has to last for most of a day before a message leaves.
  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }
}

# A topic without a subscription keeps nothing: these hold what arrives until somebody looks.
resource "google_pubsub_subscription" "holding" {
  for_each = toset(["dead_letters", "undeliverable"])

  name                       = "${google_pubsub_topic.this[each.key].name}-holding"
  topic                      = google_pubsub_topic.this[each.key].id
  ack_deadline_seconds       = 60
  message_retention_duration = "${var.undeliverable_days * local.day_seconds}s"
  labels                     = var.labels

  expiration_policy {
    ttl = ""
  }
}

locals {
  publishers = {
    events       = ["ingest"]
    dead_letters = ["ingest", "worker"]
  }
  # Whether a topic is there is asked before it is used; publishing does not include that.
  topic_viewers = {
    events       = ["ingest", "query"]
    dead_letters = ["ingest", "query", "archiver", "audit", "worker"]
  }
  subscribers = {
    stream  = ["worker", "deployer"]
    archive = ["archiver"]
  }
  subscriptions = { stream = google_pubsub_subscription.stream.name, archive = google_pubsub_subscription.archive.name }
  topic_grants = merge(
    { for pair in flatten([for topic, programs in local.publishers : [for program in programs : { topic = topic, program = program }]]) :
    "${pair.topic}/publisher/${pair.program}" => merge(pair, { role = "roles/pubsub.publisher" }) },
    { for pair in flatten([for topic, programs in local.topic_viewers : [for program in programs : { topic = topic, program = program }]]) :
    "${pair.topic}/viewer/${pair.program}" => merge(pair, { role = "roles/pubsub.viewer" }) },
  )
  subscription_grants = {
    for each in flatten([for subscription, programs in local.subscribers : [for program in programs : [
      for role in ["subscriber", "viewer"] : { subscription = subscription, program = program, role = role }
    ]]]) : "${each.subscription}/${each.role}/${each.program}" => each
  }
}

resource "google_pubsub_topic_iam_member" "program" {
  for_each = local.topic_grants

  topic  = google_pubsub_topic.this[each.value.topic].name
  role   = each.value.role
  member = var.members[each.value.program]
}

resource "google_pubsub_topic_iam_member" "producer" {
  for_each = toset(var.producers)

  topic  = google_pubsub_topic.this["events"].name
  role   = "roles/pubsub.publisher"
  member = each.value
}

# The deployer moves the stream's subscription back when a job takes over: a subscriber may.
resource "google_pubsub_subscription_iam_member" "program" {
  for_each = local.subscription_grants

  subscription = local.subscriptions[each.value.subscription]
  role         = "roles/pubsub.${each.value.role}"
  member       = var.members[each.value.program]
}

resource "google_pubsub_topic_iam_member" "pubsub_forwards" {
  topic  = google_pubsub_topic.this["undeliverable"].name
  role   = "roles/pubsub.publisher"
  member = local.pubsub_agent
}

resource "google_pubsub_subscription_iam_member" "pubsub_takes" {
  subscription = google_pubsub_subscription.archive.name
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent
}
