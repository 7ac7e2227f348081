# registry/ holds the models, workspace/ what the stages made, temp/ what Beam leaves behind.
resource "google_storage_bucket" "data" {
  name                        = var.bucket
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  # An alias is one object that is written over: its earlier states are worth keeping.
  versioning {
    enabled = true
  }

  lifecycle_rule {
    condition {
      age            = var.temporary_days
      matches_prefix = ["temp/"]
    }
    action {
      type = "Delete"
    }
  }

  lifecycle_rule {
    condition {
      days_since_noncurrent_time = 30
      with_state                 = "ARCHIVED"
    }
    action {
      type = "Delete"
    }
  }

  lifecycle_rule {
    condition {
      age = 1
    }
    action {
      type = "AbortIncompleteMultipartUpload"
    }
  }

  lifecycle {
    prevent_destroy = true
  }
}

resource "google_artifact_registry_repository" "images" {
  repository_id = "nightshift"
  location      = var.region
  format        = "DOCKER"
  description   = "Images of the flow runner, the trainer and the data worker."

  docker_config {
    immutable_tags = true
  }

  depends_on = [google_project_service.needed]
}
