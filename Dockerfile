# The gateway's image. Every command of `gateway` runs in it: serve (the default), worker, simulator...
#
#   docker build -t cogvideo-gateway .
#
# Plain on purpose: no `# syntax=` line and no heredocs, so a build fetches no frontend from a hub.
# What a company's network needs comes from whoever builds, and stays out of the image:
#
#   docker build --secret id=pip.conf,src=... --secret id=ca.pem,src=... --build-arg HTTPS_PROXY=...
ARG BASE_IMAGE=python:3.12-slim-bookworm

FROM ${BASE_IMAGE} AS builder
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /src

# Dependencies first: this layer stays as it is until a lock file changes. The virtual environment
# has no pip of its own, since nobody installs anything into it later. The build backend goes to a
# folder beside it and never reaches the image.
COPY requirements.txt deploy/requirements-build.txt ./
RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    --mount=type=secret,id=ca.pem \
    python -m venv --without-pip /opt/gateway \
    && python -m pip --python /opt/gateway/bin/python install --require-hashes -r requirements.txt \
    && python -m pip install --require-hashes --target /opt/build -r requirements-build.txt

COPY pyproject.toml README.md LICENSE ./
COPY gateway gateway
RUN PYTHONPATH=/opt/build python -m pip --python /opt/gateway/bin/python install \
    --no-cache-dir --no-index --no-deps --no-build-isolation .


FROM ${BASE_IMAGE}
ARG REVISION=unknown
LABEL org.opencontainers.image.title="cogvideo-gateway" \
      org.opencontainers.image.description="A self-hosted gateway for asynchronous video generation" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.revision="${REVISION}"

# A fixed number, so that volumes and Kubernetes' runAsNonRoot can rely on it.
RUN groupadd --gid 10001 gateway \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data \
        --shell /usr/sbin/nologin gateway \
    && install --directory --mode 0700 --owner gateway --group gateway /data
COPY --from=builder /opt/gateway /opt/gateway
COPY --chmod=0755 deploy/healthcheck.py /usr/local/bin/healthcheck

# Only /data is written to (and /tmp, where there is one): the rest may be read-only.
ENV PATH=/opt/gateway/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    GATEWAY_HOST=0.0.0.0 \
    GATEWAY_PORT=8000 \
    GATEWAY_DATA_DIR=/data
USER 10001:10001
# Where the gateway looks for gateway.yaml: mount one here if the environment is not enough.
WORKDIR /etc/gateway
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["healthcheck"]
# In exec form, so that SIGTERM reaches the gateway and not a shell.
ENTRYPOINT ["gateway"]
CMD ["serve"]
