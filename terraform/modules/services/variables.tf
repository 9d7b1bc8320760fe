variable "name" {
  description = "First part of every service's name."
  type        = string
}

variable "region" {
  type = string
}

variable "image" {
  description = "Of the service, with its tag or digest."
  type        = string
}

variable "services" {
  description = <<-TEXT
    What runs: the command's arguments, settings (VIEWMILL_*), the account's address, instances, their size, requests at a time, and the path that says
    an instance has started.
  TEXT
  type = map(object({
    args          = list(string)
    settings      = map(string)
    account       = string
    min_instances = number
    max_instances = number
    cpu           = string
    memory        = string
    concurrency   = number
    started_path  = string
    public_side   = bool
  }))
}

variable "invokers" {
  description = "Who may call the services with a public side, as IAM names them."
  type        = list(string)
}

variable "public" {
  description = "Whether anybody at all may call them, without an identity."
  type        = bool
  default     = false
}

variable "ingress" {
  description = "Where calls may come from."
  type        = string
  default     = "INGRESS_TRAFFIC_ALL"

  validation {
    condition     = contains(["INGRESS_TRAFFIC_ALL", "INGRESS_TRAFFIC_INTERNAL_ONLY", "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"], var.ingress)
    error_message = "INGRESS_TRAFFIC_ALL, INGRESS_TRAFFIC_INTERNAL_ONLY or INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER."
  }
}

variable "collector_image" {
  description = "Collector that sends an instance's /metrics to Cloud Monitoring; empty: none."
  type        = string
}

variable "secrets" {
  description = "Names in Secret Manager of the operator's key and of the collector's configuration."
  type        = object({ operator = string, collector = string })
}

variable "protected" {
  description = "Whether the services refuse to be deleted."
  type        = bool
  default     = true
}

variable "labels" {
  description = "Of everything that can have some."
  type        = map(string)
  default     = {}
}
