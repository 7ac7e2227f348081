terraform {
  required_version = ">= 1.9, < 2.0"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 6.50"
    }
    prefect = {
      source  = "PrefectHQ/prefect"
      version = "~> 2.92"
    }
  }
}

provider "google" {
  project = var.project
  region  = var.region
}

# The server's address and, where it wants one, its key: PREFECT_API_URL and PREFECT_API_KEY in the environment.
provider "prefect" {}
