resource "prefect_work_pool" "nights" {
  name        = var.work_pool
  type        = "process"
  description = "Nights of Nightshift, each in a process of a worker."
}
