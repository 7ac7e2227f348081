variable "project" {
  description = "Google Cloud project that everything is made in."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "A project's id has 6 to 30 lower-case letters, digits and hyphens."
  }
}

variable "region" {
  description = "Region of the bucket, of the images and of what runs."
  type        = string
  default     = "europe-west4"

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "A region is written like europe-west4."
  }
}

variable "bucket" {
  description = "Name of the bucket for the registry, the workspaces and Beam's temporary files; unique in the world."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "3 to 63 lower-case letters, digits and hyphens."
  }
}

variable "temporary_days" {
  description = "Days after which what lies below temp/ in the bucket is deleted."
  type        = number
  default     = 7

  validation {
    condition     = var.temporary_days >= 1 && floor(var.temporary_days) == var.temporary_days
    error_message = "A whole number of days, at least 1."
  }
}

variable "namespace" {
  description = "Namespace of the Kubernetes service accounts worker and trainer; empty where there is no GKE cluster."
  type        = string
  default     = "nightshift"

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)?$", var.namespace))
    error_message = "A name of Kubernetes, or nothing."
  }
}

variable "work_pool" {
  description = "Name of Prefect's work pool for the nights."
  type        = string
  default     = "nights"

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,63}$", var.work_pool))
    error_message = "1 to 63 letters, digits, hyphens and underscores."
  }
}
