"""What runners on other machines are told, a section each. What is left empty is left to the runner."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from pipeline.config import Frozen


@dataclass(frozen=True, slots=True)
class Formed:
    """Text that is empty or of a form. A form in a browser knows the pattern too, and refuses what does not fit.

    Args:
        pattern: of the whole text.
        words: what messages call it.
    """

    pattern: str
    words: str

    def check(self, value: str) -> str:
        """The text; raises where it does not fit."""
        if value and not re.fullmatch(self.pattern, value):
            raise PydanticCustomError("form", "{words}", {"words": self.words})
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(schema) | {"pattern": f"^({self.pattern})?$"}


BUCKET = r"gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9](/[^/.\s][^/\s]*)*/?"
PROJECT = r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]"
SUBNETWORK = r"(https://www\.googleapis\.com/compute/v1/projects/[^/\s]+/)?regions/[^/\s]+/subnetworks/[^/\s]+"
IMAGE = r"[a-z0-9][a-zA-Z0-9._:/-]*(:(?!latest$)\w[\w.-]*|@sha256:[0-9a-f]{64})"
FIXED_IMAGE = "an image with a digest or with a tag other than latest, so that all workers run the same code"

Bucket = Annotated[str, Formed(BUCKET, "gs://bucket/prefix with a bucket's name in lower case")]
Project = Annotated[str, Formed(PROJECT, "a project's id, such as translation-1")]
Region = Annotated[str, Formed(r"[a-z]+(-[a-z]+)+[0-9]+", "a region such as europe-west1, no zone")]
Machine = Annotated[str, Formed(r"[a-z][a-z0-9]*(-[a-z0-9]+)+", "a type such as n2-standard-4")]
Account = Annotated[str, Formed(r"[^@\s]+@[a-z0-9.-]+\.gserviceaccount\.com", "a service account's address")]
Network = Annotated[str, Formed(r"[a-z][a-z0-9-]*", "the name of a VPC network")]
Subnetwork = Annotated[str, Formed(SUBNETWORK, "regions/REGION/subnetworks/NAME or its full address")]
Image = Annotated[str, Formed(IMAGE, FIXED_IMAGE)]
Endpoint = Annotated[str, Formed(r"[^\s/:]+:[0-9]{1,5}", "host:port, such as localhost:8099")]


class DataflowConfig(Frozen):
    """How Dataflow runs the jobs."""

    project: Project = Field("", description="Google Cloud project that the jobs run in and that pays for them.")
    region: Region = Field("", description="Region of the workers, such as europe-west1.")
    temp_location: Bucket = Field("", description="gs://bucket/prefix for what a job keeps while it runs.")
    staging_location: Bucket = Field(
        "", description="gs://bucket/prefix for what a job is made of; empty: temp_location."
    )
    container_image: Image = Field(
        "", description="Image of the workers, with nightshift and its packages in it: infra/ says how it is built."
    )
    worker_type: Machine = Field("", description="Machine type of the workers, such as n2-standard-4.")
    max_workers: int = Field(0, ge=0, le=4000, description="Most workers at a time; 0: Dataflow's own limit.")
    autoscaling: bool = Field(
        True, description="Whether Dataflow chooses how many of max_workers are worth it; otherwise all of them."
    )
    disk_gb: int = Field(0, ge=0, le=65_536, description="Disk of a worker in GB; 0: Dataflow's default.")
    service_account: Account = Field("", description="Service account that the workers act as.")
    network: Network = Field("", description="VPC network of the workers.")
    subnetwork: Subnetwork = Field("", description="Subnetwork of the workers, regions/REGION/subnetworks/NAME.")
    public_addresses: bool = Field(
        True, description="Whether workers have public addresses; without, the subnetwork needs Private Google Access."
    )


class FlinkConfig(Frozen):
    """How Flink runs the jobs: by a job server that is there, or by one that a jar of this machine starts."""

    master: Endpoint = Field("", description="The cluster's REST address, host:port.")
    job_endpoint: Endpoint = Field("", description="Address of a running Beam job server for Flink, host:port.")
    job_server_jar: str = Field("", description="Path of Beam's job server for Flink; it needs Java.")
    parallelism: int = Field(0, ge=0, le=32_768, description="How many tasks work at a time; 0: the cluster's default.")


class SparkConfig(Frozen):
    """How Spark runs the jobs: by a job server that is there, or by one that a jar of this machine starts."""

    master: Annotated[
        str,
        Formed(r"spark://\S+|yarn|local(\[\S+\])?|k8s://\S+", "an address such as spark://host:7077"),
    ] = Field("", description="The cluster's address, spark://host:port.")
    job_endpoint: Endpoint = Field("", description="Address of a running Beam job server for Spark, host:port.")
    job_server_jar: str = Field("", description="Path of Beam's job server for Spark; it needs Java.")


class PortableConfig(Frozen):
    """Any other runner behind a Beam job server."""

    job_endpoint: Endpoint = Field("", description="Address of the job server, host:port.")


class EnvironmentConfig(Frozen):
    """In what flink, spark and portable run our functions; the packages of the lock must be in it."""

    kind: Literal["", "docker", "process", "external", "loopback"] = Field(
        "",
        description="docker: a container of `container_image`; process: what `command` starts; external: a worker pool "
        "at `address`; loopback: this process.",
    )
    container_image: Image = Field("", description="Of docker: an image with nightshift and its packages in it.")
    command: str = Field("", description="Of process: Beam's boot program on the worker machines.")
    address: Endpoint = Field("", description="Of external: the worker pool, host:port.")
    processes: int = Field(1, ge=0, le=1024, description="Python processes on a worker machine; 0: the runner decides.")
