variable "name" {
  description = "First part of every bucket's name; bucket names are the world's, so it holds the project's id."
  type        = string
}

variable "location" {
  description = "Region of the buckets."
  type        = string
}

variable "protected" {
  description = "Whether a bucket that holds objects refuses to be deleted."
  type        = bool
  default     = true
}

variable "cold_class" {
  description = "Storage class of archived events that the audits no longer read every day."
  type        = string
  default     = "COLDLINE"

  validation {
    condition     = contains(["NEARLINE", "COLDLINE", "ARCHIVE"], var.cold_class)
    error_message = "Cold classes are NEARLINE, COLDLINE and ARCHIVE."
  }
}

variable "retention" {
  description = "In days since an object was made: raw events counted, archive and dead letters deleted by the net behind `viewmill tier`, claims, findings of audits."
  type = object({
    raw_days      = number
    archive_days  = number
    claims_days   = number
    findings_days = number
  })
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
