output "images" {
  description = "Where images are pushed to and pulled from."
  value       = "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.images.repository_id}"
}

output "registry" {
  description = "The registry of models, for --set registry=..."
  value       = "gs://${google_storage_bucket.data.name}/registry"
}

output "temp_location" {
  description = "Beam's temporary files, for beam.dataflow.temp_location"
  value       = "gs://${google_storage_bucket.data.name}/temp"
}

output "exchange" {
  description = "Copies of what workers of Dataflow read and write, for beam.exchange"
  value       = "gs://${google_storage_bucket.data.name}/temp/exchange"
}

output "accounts" {
  description = "E-mail addresses of the service accounts, for cluster.vertex.service_account and Dataflow."
  value = {
    flow        = google_service_account.flow.email
    trainer     = google_service_account.trainer.email
    data_worker = google_service_account.data_worker.email
  }
}

output "work_pool" {
  description = "Prefect's work pool."
  value       = prefect_work_pool.nights.name
}
