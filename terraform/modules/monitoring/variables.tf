variable "name" {
  description = "First part of every alert's and dashboard's name."
  type        = string
}

variable "project" {
  type = string
}

variable "job_name" {
  description = "Of the streaming job."
  type        = string
}

variable "service_prefix" {
  description = "What the names of Viewmill's services in Cloud Run begin with."
  type        = string
}

variable "audit_jobs" {
  description = "Names of the Cloud Run jobs that audit."
  type        = list(string)
}

variable "tier_job" {
  description = "Name of the Cloud Run job that tiers."
  type        = string
}

variable "bigtable_instance" {
  type = string
}

variable "subscriptions" {
  description = "Names: stream, archive, undeliverable, dead_letters."
  type        = object({ stream = string, archive = string, undeliverable = string, dead_letters = string })
}

variable "scraped" {
  description = "Whether the services' /metrics come to Cloud Monitoring: alerts on them are made only then."
  type        = bool
}

variable "max_in_flight_bytes" {
  description = "Of an ingest instance (http.maxInFlightBytes): beyond it requests are refused."
  type        = number
}

variable "emails" {
  description = "Who hears of alerts."
  type        = list(string)
}

variable "thresholds" {
  description = <<-TEXT
    When somebody should look: seconds of latency (99th percentile), share of failed requests and of refused events, seconds behind, messages.
    quiet_minutes: no accepted event for so long; 0: nights without events are normal.
  TEXT
  type = object({
    ingest_seconds       = optional(number, 1)
    query_seconds        = optional(number, 0.5)
    failed_share         = optional(number, 0.01)
    rejected_share       = optional(number, 0.05)
    quiet_minutes        = optional(number, 0)
    cpu_share            = optional(number, 0.85)
    memory_share         = optional(number, 0.9)
    behind_seconds       = optional(number, 600)
    unacked_seconds      = optional(number, 600)
    watermark_seconds    = optional(number, 600)
    dead_letters         = optional(number, 0)
    audit_silent_minutes = optional(number, 180)
  })

  validation {
    condition = alltrue([for share in [var.thresholds.failed_share, var.thresholds.rejected_share, var.thresholds.cpu_share, var.thresholds.memory_share] :
    share > 0 && share < 1])
    error_message = "Shares are between 0 and 1."
  }

  validation {
    condition     = var.thresholds.audit_silent_minutes >= 120
    error_message = "Audits run every hour and look back one: a silence below 120 minutes is none."
  }
}

variable "labels" {
  description = "Of everything that can have some."
  type        = map(string)
  default     = {}
}
