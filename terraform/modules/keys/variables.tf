variable "name" {
  description = "First part of every secret's name."
  type        = string
}

variable "readers" {
  description = "Program to its account, as IAM names it: those that ask for keys."
  type        = map(string)
}

variable "metrics_port" {
  description = "Where an instance answers /metrics to the collector beside it."
  type        = number
}

variable "labels" {
  description = "Of everything that can have some."
  type        = map(string)
  default     = {}
}
