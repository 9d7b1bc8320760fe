variable "name" {
  description = "First part of every account's id."
  type        = string
}
