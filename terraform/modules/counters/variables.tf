variable "name" {
  description = "Of the instance, and first part of every table's name."
  type        = string
}

variable "zone" {
  description = "Of the cluster; in the region of the job."
  type        = string
}

variable "replica_zone" {
  description = "Of a second cluster with all the data, for failover and for reads that may be behind. Empty: none."
  type        = string
  default     = ""
}

variable "failed_over" {
  description = "Whether writers and readers use the second cluster, because the first one's zone is away."
  type        = bool
  default     = false
}

variable "nodes" {
  description = "Bounds of autoscaling, the share of CPU it aims at in percent, and the kind of disks."
  type = object({
    min          = number
    max          = number
    cpu_target   = optional(number, 60)
    storage_type = optional(string, "SSD")
  })

  validation {
    condition     = var.nodes.min >= 1 && var.nodes.max >= var.nodes.min
    error_message = "At least one node, and at most no fewer than at least."
  }

  validation {
    condition     = var.nodes.cpu_target >= 10 && var.nodes.cpu_target <= 80
    error_message = "Bigtable autoscales to 10 to 80 percent of CPU."
  }

  validation {
    condition     = contains(["SSD", "HDD"], var.nodes.storage_type)
    error_message = "Disks are SSD or HDD."
  }
}

variable "protected" {
  description = "Whether instance and tables refuse to be deleted."
  type        = bool
  default     = true
}

variable "backup" {
  description = "Whether Bigtable makes a backup of each table every day and keeps it for a week."
  type        = bool
  default     = true
}

variable "members" {
  description = "Program to the account as IAM names it."
  type        = map(string)
}

variable "labels" {
  description = "Of everything that can have some."
  type        = map(string)
  default     = {}
}
