variable "project" {
  description = "Id of the Google Cloud project; it exists, and has a billing account."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "A project's id is 6 to 30 lower-case letters, digits and hyphens, and begins with a letter."
  }
}

variable "region" {
  description = "Where everything is."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "A region is named like europe-west1."
  }
}

variable "zone" {
  description = "Of the Bigtable cluster: last letter of a zone of the region."
  type        = string
  default     = "b"

  validation {
    condition     = can(regex("^[a-f]$", var.zone))
    error_message = "One letter, a to f: the zone is the region's name, a hyphen and it."
  }
}

variable "name" {
  description = "First part of every name; several deployments may be in one project."
  type        = string
  default     = "viewmill"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,15}[a-z0-9]$", var.name))
    error_message = "6 to 17 lower-case letters, digits and hyphens: names of accounts and of Bigtable instances are made of it."
  }
}

variable "image_tag" {
  description = "Tag of both images in the registry. Empty: nothing that runs an image is made yet, as there is none to run."
  type        = string
  default     = ""

  validation {
    condition     = var.image_tag == "" || (can(regex("^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$", var.image_tag)) && var.image_tag != "latest")
    error_message = "A tag that names one build: not \"latest\", at most 128 letters, digits, dots, hyphens and underscores."
  }
}

variable "protected" {
  description = "Whether what holds data (Bigtable, the data bucket) and the services refuse to be deleted."
  type        = bool
  default     = true
}

variable "retention" {
  description = <<-TEXT
    How long what is kept. raw_days: older events are refused as too-old, and `viewmill tier` deletes archived ones when they are audited and two days older; archive_days: the
    bucket's own rule deletes what it has missed; topic_days: messages in the topic; undeliverable_days: those that could not be delivered; claims_days: batches that are too large
    for the topic; dead_letter_days; findings_days: of audits; final_after_minutes: lateness horizon.
  TEXT
  type = object({
    raw_days            = optional(number, 30)
    archive_days        = optional(number, 365)
    topic_days          = optional(number, 7)
    undeliverable_days  = optional(number, 7)
    claims_days         = optional(number, 21)
    dead_letter_days    = optional(number, 90)
    findings_days       = optional(number, 400)
    final_after_minutes = optional(number, 60)
  })
  default = {}

  validation {
    condition     = var.retention.final_after_minutes >= 1 && var.retention.final_after_minutes * 2 <= var.retention.raw_days * 1440
    error_message = "The lateness horizon is at most half of raw_days: what is late is recounted from the archive."
  }

  validation {
    condition     = var.retention.archive_days >= var.retention.raw_days + ceil(var.retention.final_after_minutes / 1440) + 15
    error_message = "The bucket deletes archived events two weeks after tiering at the earliest: archive_days is at least raw_days, the days of final_after_minutes, and 15."
  }

  validation {
    condition     = var.retention.topic_days >= 1 && var.retention.topic_days <= 31 && var.retention.topic_days * 1440 > var.retention.final_after_minutes
    error_message = "A topic keeps messages for 1 to 31 days, and longer than events may be late: a job that takes over reads them again."
  }

  validation {
    condition     = var.retention.undeliverable_days >= 1 && var.retention.undeliverable_days <= 7
    error_message = "A subscription keeps messages for at most 7 days."
  }

  validation {
    condition     = var.retention.claims_days > var.retention.topic_days + var.retention.undeliverable_days
    error_message = "A message may be read until topic_days and then undeliverable_days have passed: what it refers to is kept for longer (claims_days)."
  }

  validation {
    condition     = var.retention.dead_letter_days >= var.retention.raw_days && var.retention.dead_letter_days <= var.retention.archive_days
    error_message = "Dead letters can be replayed for raw_days: dead_letter_days is raw_days to archive_days."
  }

  validation {
    condition     = var.retention.findings_days >= 1
    error_message = "Findings of audits are kept for a day at least."
  }
}

variable "cold_class" {
  description = "Storage class of archived events that are still there 30 days after raw_days."
  type        = string
  default     = "COLDLINE"
}

variable "bigtable" {
  description = "Nodes of a cluster, how full of work each is to be (percent of CPU), kind of disks, whether there are daily backups, the zone (a letter) of a second cluster, and whether it serves because the first one's zone is away."
  type = object({
    min          = optional(number, 1)
    max          = optional(number, 3)
    cpu_target   = optional(number, 60)
    storage_type = optional(string, "SSD")
    backup       = optional(bool, true)
    replica_zone = optional(string, "")
    failed_over  = optional(bool, false)
  })
  default = {}

  validation {
    condition     = can(regex("^[a-f]?$", var.bigtable.replica_zone))
    error_message = "The zone of the second cluster is a letter, such as c, or empty."
  }

  validation {
    condition     = !var.bigtable.failed_over || var.bigtable.replica_zone != ""
    error_message = "Without a second cluster there is none to fail over to."
  }
}

variable "ingest" {
  description = "Instances of the write API, their size, requests at a time each."
  type = object({
    min_instances = optional(number, 1)
    max_instances = optional(number, 10)
    cpu           = optional(string, "2")
    memory        = optional(string, "2Gi")
    concurrency   = optional(number, 200)
  })
  default = {}

  validation {
    condition     = var.ingest.min_instances >= 0 && var.ingest.max_instances >= max(1, var.ingest.min_instances)
    error_message = "At most as many instances as max_instances, which is at least 1."
  }

  validation {
    condition     = var.ingest.concurrency >= 1 && var.ingest.concurrency <= 1000
    error_message = "Cloud Run takes 1 to 1000 requests at a time for an instance."
  }
}

variable "query" {
  description = "Instances of the read API, their size, requests at a time each."
  type = object({
    min_instances = optional(number, 1)
    max_instances = optional(number, 5)
    cpu           = optional(string, "1")
    memory        = optional(string, "1Gi")
    concurrency   = optional(number, 200)
  })
  default = {}

  validation {
    condition     = var.query.min_instances >= 0 && var.query.max_instances >= max(1, var.query.min_instances)
    error_message = "At most as many instances as max_instances, which is at least 1."
  }

  validation {
    condition     = var.query.concurrency >= 1 && var.query.concurrency <= 1000
    error_message = "Cloud Run takes 1 to 1000 requests at a time for an instance."
  }
}

variable "archiver" {
  description = "Size of the archiver. There is one on Pub/Sub: how far all is archived is known to each reader only of its own messages."
  type = object({
    cpu    = optional(string, "2")
    memory = optional(string, "2Gi")
  })
  default = {}
}

variable "audit" {
  description = "Size of the audits' jobs, when they run (cron, UTC), how long they may take."
  type = object({
    cpu                    = optional(string, "4")
    memory                 = optional(string, "8Gi")
    hourly_schedule        = optional(string, "15 * * * *")
    daily_schedule         = optional(string, "45 3 * * *")
    hourly_timeout_seconds = optional(number, 3000)
    daily_timeout_seconds  = optional(number, 21600)
  })
  default = {}

  validation {
    condition     = alltrue([for cron in [var.audit.hourly_schedule, var.audit.daily_schedule] : can(regex("^\\S+ \\S+ \\S+ \\S+ \\S+$", cron))])
    error_message = "A schedule is five fields of cron."
  }

  validation {
    condition     = var.audit.hourly_timeout_seconds <= 3600 && var.audit.daily_timeout_seconds <= 86400
    error_message = "An hourly audit ends within the hour, a daily one within the day."
  }
}

variable "tier" {
  description = "Size of the tiering's job, when it runs (cron, UTC; after the daily audit), how long it may take."
  type = object({
    cpu             = optional(string, "2")
    memory          = optional(string, "4Gi")
    schedule        = optional(string, "45 9 * * *")
    timeout_seconds = optional(number, 43200)
  })
  default = {}

  validation {
    condition     = can(regex("^\\S+ \\S+ \\S+ \\S+ \\S+$", var.tier.schedule))
    error_message = "A schedule is five fields of cron."
  }

  validation {
    condition     = var.tier.timeout_seconds < 86400
    error_message = "Tiering ends before it is started again a day later."
  }
}

variable "job" {
  description = "The streaming job: its name, machines, workers, and how the counting is spread (both may not change while a job keeps its state)."
  type = object({
    name              = optional(string, "viewmill-stream")
    machine_type      = optional(string, "n2-standard-2")
    min_workers       = optional(number, 1)
    max_workers       = optional(number, 4)
    dedupe_partitions = optional(number, 16)
    video_shards      = optional(number, 8)
    network           = optional(string, "")
    subnetwork        = optional(string, "")
    public_ips        = optional(bool, true)
  })
  default = {}

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,60}$", var.job.name))
    error_message = "A job's name is lower-case letters, digits and hyphens, and begins with a letter."
  }

  validation {
    condition     = var.job.min_workers >= 1 && var.job.max_workers >= var.job.min_workers
    error_message = "At least one worker, and at most no fewer than at least."
  }

  validation {
    condition     = var.job.public_ips || var.job.subnetwork != ""
    error_message = "Workers without external addresses need a subnetwork with Private Google Access: name it."
  }
}

variable "invokers" {
  description = "Who may call the write and the read API, as IAM names them (serviceAccount:..., group:...)."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for member in var.invokers : can(regex("^(user|group|serviceAccount|domain|principal|principalSet):.+", member))])
    error_message = "Members are named user:, group:, serviceAccount:, domain:, principal: or principalSet:. For everybody there is var.public."
  }
}

variable "producers" {
  description = "Who may publish events to the topic without the write API, as IAM names them (docs/direct-producers.md)."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for member in var.producers : can(regex("^(user|group|serviceAccount|principal|principalSet):.+", member))])
    error_message = "Producers are named user:, group:, serviceAccount:, principal: or principalSet:."
  }
}

variable "public" {
  description = "Whether anybody at all may call the write and the read API, without an identity of Google's. Viewmill asks for a key either way."
  type        = bool
  default     = false
}

variable "ingress" {
  description = "Where calls of the APIs may come from (Cloud Run's INGRESS_TRAFFIC_*)."
  type        = string
  default     = "INGRESS_TRAFFIC_ALL"
}

variable "pushers" {
  description = "Who may push images besides the project's owners, as IAM names them."
  type        = list(string)
  default     = []
}

variable "deployers" {
  description = "Who may execute the job that submits the pipeline, besides the project's owners, as IAM names them."
  type        = list(string)
  default     = []
}

variable "collector_image" {
  description = "Google's collector that sends /metrics of each instance to Cloud Monitoring; empty: none, and no alert on those metrics."
  type        = string
  default     = "us-docker.pkg.dev/cloud-ops-agents-artifacts/cloud-run-gmp-sidecar/cloud-run-gmp-sidecar:1.2.0"
}

variable "alert_emails" {
  description = "Who hears of alerts."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for address in var.alert_emails : can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", address))])
    error_message = "Addresses of e-mail."
  }
}

variable "alert_thresholds" {
  description = "When somebody should look: see modules/monitoring."
  type        = any
  default     = {}
}

variable "log_level" {
  description = "Of every program."
  type        = string
  default     = "info"

  validation {
    condition     = contains(["fatal", "error", "warn", "info", "debug", "trace", "silent"], var.log_level)
    error_message = "fatal, error, warn, info, debug, trace or silent."
  }
}

variable "labels" {
  description = "Of everything that can have some."
  type        = map(string)
  default     = {}
}
