variable "name" {
  description = "Of the repository."
  type        = string
}

variable "region" {
  type = string
}

variable "members" {
  description = "Program to the account as IAM names it."
  type        = map(string)
}

variable "pushers" {
  description = "Who may push images besides the project's owners, as IAM names them."
  type        = list(string)
  default     = []
}

variable "labels" {
  description = "Of everything that can have some."
  type        = map(string)
  default     = {}
}
