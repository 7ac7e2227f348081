# The trainer, without Beam and Prefect, for CPUs or for GPUs:
#   docker build -f infra/docker/trainer.Dockerfile --target cpu -t nightshift/trainer:0.1.0 .
#   docker build -f infra/docker/trainer.Dockerfile --target gpu -t nightshift/trainer-gpu:0.1.0 .
FROM python:3.11.14-slim-bookworm AS build

WORKDIR /build
COPY pyproject.toml README.md requirements.lock ./
COPY pipeline pipeline
COPY infra infra
# tfx-bsl says that it needs Beam, but its coders, which read the shards, do not.
RUN python -m infra.lock_subset --without apache-beam \
      click google-cloud-storage google-crc32c keras matplotlib numpy pirateweather-translations pyarrow pydantic pyyaml \
      requests rich sacrebleu sentencepiece setuptools tensorflow tensorflow-text tfx-bsl zstandard \
      < requirements.lock > trainer.lock \
 && python -m venv /opt/nightshift \
 && /opt/nightshift/bin/pip install --no-cache-dir --no-deps --require-hashes -r trainer.lock
COPY flows flows
COPY model model
RUN /opt/nightshift/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

# CUDA as TensorFlow's own extra names it, so that its versions are those TensorFlow was built and tested with; of the
# machine only the driver is needed.
FROM build AS build-gpu
COPY infra/docker/gpu.lock ./
RUN /opt/nightshift/bin/pip install --no-cache-dir --no-deps --require-hashes -r gpu.lock

FROM python:3.11.14-slim-bookworm AS base
LABEL org.opencontainers.image.title="nightshift trainer" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/nightshift/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TF_CPP_MIN_LOG_LEVEL=1
# A volume takes its owner from the folder that it covers.
RUN useradd --create-home --uid 1000 nightshift \
 && install -d -o nightshift -g nightshift /workspace /home/nightshift/.cache
WORKDIR /home/nightshift
ENTRYPOINT ["nightshift"]
CMD ["train", "--help"]

FROM base AS gpu
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=build-gpu /opt/nightshift /opt/nightshift
USER 1000:1000

FROM base AS cpu
COPY --from=build /opt/nightshift /opt/nightshift
USER 1000:1000
