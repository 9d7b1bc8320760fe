variable "project" {
  description = "Id of the Google Cloud project; it exists, and has a billing account."
  type        = string
}

variable "region" {
  description = "Where everything is."
  type        = string
  default     = "europe-west1"
}

variable "image_tag" {
  description = "Tag of both images in the registry. Empty: nothing that runs an image is made yet."
  type        = string
  default     = ""
}

variable "invokers" {
  description = "Who may call the APIs, as IAM names them (serviceAccount:..., group:...)."
  type        = list(string)
  default     = []
}

variable "alert_emails" {
  description = "Who hears of alerts."
  type        = list(string)
  default     = []
}
