variable "name" {
  description = "First part of every topic's and subscription's name."
  type        = string
}

variable "project_number" {
  description = "Of the project: Pub/Sub forwards undeliverable messages as an account that is named after it."
  type        = string
}

variable "members" {
  description = "Program to the account as IAM names it."
  type        = map(string)
}

variable "regions" {
  description = "Regions that may store messages."
  type        = list(string)
}

variable "topic_days" {
  description = "How long the topic keeps messages, read or not: a job that takes over reads them again."
  type        = number
}

variable "undeliverable_days" {
  description = "How long messages are kept that could not be delivered, and published dead letters."
  type        = number
}

variable "max_delivery_attempts" {
  description = "After this many deliveries that were not acknowledged, a message leaves the archiver's subscription. 5 to 100."
  type        = number
  default     = 100

  validation {
    condition     = var.max_delivery_attempts >= 5 && var.max_delivery_attempts <= 100
    error_message = "Pub/Sub takes 5 to 100 attempts."
  }
}

variable "schema" {
  description = <<-TEXT
    Id of a Pub/Sub schema (projects/P/schemas/S) that direct producers of single JSON events are held to, or empty. With one, the topic refuses
    every message that is not of it: batches of the ingest service among them, which carry a fingerprint before their Avro. So it fits a topic
    that only direct producers write, never the one that the ingest service writes.
  TEXT
  type        = string
  default     = ""

  validation {
    condition     = var.schema == "" || can(regex("^projects/[^/]+/schemas/[^/]+$", var.schema))
    error_message = "A schema is named projects/PROJECT/schemas/SCHEMA."
  }
}

variable "producers" {
  description = "Who may publish events to the topic without the ingest service, as IAM names them (docs/direct-producers.md)."
  type        = list(string)
  default     = []
}

variable "labels" {
  description = "Of everything that can have some."
  type        = map(string)
  default     = {}
}
