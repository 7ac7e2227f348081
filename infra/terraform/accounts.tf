# One account for each kind of machine, with the rights that its work needs and no others. None has a key: machines on
# Google Cloud are their account, and pods become it by workload identity.
resource "google_service_account" "flow" {
  account_id   = "nightshift-flow"
  display_name = "Nightshift: runs the nights, starts Beam jobs and trainings, writes the registry"
}

resource "google_service_account" "trainer" {
  account_id   = "nightshift-trainer"
  display_name = "Nightshift: trains"
}

resource "google_service_account" "data_worker" {
  account_id   = "nightshift-data-worker"
  display_name = "Nightshift: worker of Dataflow jobs"
}

locals {
  # Kubernetes service account -> the Google account that it becomes.
  pods = var.namespace == "" ? {} : {
    worker  = google_service_account.flow.name
    trainer = google_service_account.trainer.name
  }

  # Where in the bucket an account may write; each may read all of it.
  writes = {
    "flow/registry"     = { member = google_service_account.flow.member, prefix = "registry/" }
    "flow/workspace"    = { member = google_service_account.flow.member, prefix = "workspace/" }
    "flow/temp"         = { member = google_service_account.flow.member, prefix = "temp/" }
    "trainer/workspace" = { member = google_service_account.trainer.member, prefix = "workspace/" }
    "data_worker/work"  = { member = google_service_account.data_worker.member, prefix = "workspace/" }
    "data_worker/temp"  = { member = google_service_account.data_worker.member, prefix = "temp/" }
  }

  members = {
    flow        = google_service_account.flow.member
    trainer     = google_service_account.trainer.member
    data_worker = google_service_account.data_worker.member
  }
}

resource "google_storage_bucket_iam_member" "reads" {
  for_each = local.members

  bucket = google_storage_bucket.data.name
  role   = "roles/storage.objectViewer"
  member = each.value
}

resource "google_storage_bucket_iam_member" "writes" {
  for_each = local.writes

  bucket = google_storage_bucket.data.name
  role   = "roles/storage.objectUser"
  member = each.value.member

  condition {
    title      = "Below ${each.value.prefix}"
    expression = "resource.name.startsWith(\"projects/_/buckets/${google_storage_bucket.data.name}/objects/${each.value.prefix}\")"
  }
}

resource "google_artifact_registry_repository_iam_member" "pulls" {
  for_each = local.members

  repository = google_artifact_registry_repository.images.name
  location   = google_artifact_registry_repository.images.location
  role       = "roles/artifactregistry.reader"
  member     = each.value
}

# What Dataflow's own agent needs of a worker's account.
resource "google_project_iam_member" "dataflow_worker" {
  project = var.project
  role    = "roles/dataflow.worker"
  member  = google_service_account.data_worker.member
}

# A night starts Dataflow jobs and custom jobs, watches them and stops them.
resource "google_project_iam_member" "starts_dataflow" {
  project = var.project
  role    = "roles/dataflow.developer"
  member  = google_service_account.flow.member
}

resource "google_project_iam_custom_role" "starts_trainings" {
  role_id     = "nightshiftStartsTrainings"
  title       = "Nightshift: starts trainings"
  description = "Starts custom jobs on Vertex AI, watches and stops them."
  permissions = [
    "aiplatform.customJobs.cancel",
    "aiplatform.customJobs.create",
    "aiplatform.customJobs.get",
    "aiplatform.customJobs.list",
  ]
}

resource "google_project_iam_member" "starts_trainings" {
  project = var.project
  role    = google_project_iam_custom_role.starts_trainings.id
  member  = google_service_account.flow.member
}

# Starting work in the name of an account takes the right to act as it: as these two, and nobody else.
resource "google_service_account_iam_member" "acts_as" {
  for_each = {
    trainer     = google_service_account.trainer.name
    data_worker = google_service_account.data_worker.name
  }

  service_account_id = each.value
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.flow.member
}

resource "google_service_account_iam_member" "pods" {
  for_each = local.pods

  service_account_id = each.value
  role               = "roles/iam.workloadIdentityUser"
  member             = "serviceAccount:${var.project}.svc.id.goog[${var.namespace}/${each.key}]"
}
