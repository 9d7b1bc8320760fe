variable "name" {
  description = "First part of every job's name."
  type        = string
}

variable "project" {
  type = string
}

variable "region" {
  type = string
}

variable "image" {
  description = "Of the service, with its tag or digest."
  type        = string
}

variable "jobs" {
  description = <<-TEXT
    What runs: the command's arguments, settings (VIEWMILL_*), the account's address, size, how long it may take, and when (cron, UTC; null: when somebody
    executes it).
  TEXT
  type = map(object({
    args            = list(string)
    settings        = map(string)
    account         = string
    cpu             = string
    memory          = string
    timeout_seconds = number
    schedule        = optional(string)
  }))
}

variable "scheduler" {
  description = "The account that starts jobs: its address, and as IAM names it."
  type        = object({ email = string, member = string })
}

variable "labels" {
  description = "Of everything that can have some."
  type        = map(string)
  default     = {}
}

variable "deployers" {
  description = "Who may execute the jobs that nothing starts by itself, with other arguments as well; as IAM names them."
  type        = list(string)
  default     = []
}
