# The flow runner: the command line, the flows, their Beam jobs on this machine, and Prefect's server and worker.
#   docker build -f infra/docker/flow.Dockerfile -t nightshift/flow:0.1.0 .
FROM python:3.11.14-slim-bookworm AS build

WORKDIR /home/nightshift/app
COPY pyproject.toml README.md requirements.lock ./
COPY pipeline pipeline
COPY infra infra
# What the project needs without what its tests need, in the versions and with the hashes of the lock.
RUN python -m infra.lock_subset --project pyproject.toml < requirements.lock > flow.lock \
 && python -m venv /opt/nightshift \
 && /opt/nightshift/bin/pip install --no-cache-dir --no-deps --require-hashes -r flow.lock
COPY flows flows
COPY model model
RUN /opt/nightshift/bin/pip install --no-cache-dir --no-deps --no-build-isolation --editable .

FROM python:3.11.14-slim-bookworm
LABEL org.opencontainers.image.title="nightshift flow runner" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
# The UI is unpacked when the server starts, where this user may write, and asks the address it was itself reached at.
ENV PATH=/opt/nightshift/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DO_NOT_TRACK=1 \
    PREFECT_SERVER_ANALYTICS_ENABLED=false \
    PREFECT_SERVER_UI_STATIC_DIRECTORY=/home/nightshift/.prefect/ui \
    PREFECT_SERVER_UI_API_URL=/api
# A volume takes its owner from the folder that it covers.
RUN useradd --create-home --uid 1000 nightshift \
 && install -d -o nightshift -g nightshift /workspace /home/nightshift/.prefect /home/nightshift/.cache
COPY --from=build /opt/nightshift /opt/nightshift
COPY --from=build /home/nightshift/app /home/nightshift/app
USER 1000:1000
WORKDIR /home/nightshift/app
ENTRYPOINT ["nightshift"]
CMD ["--help"]
