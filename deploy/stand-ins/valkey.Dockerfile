# Stands in for the official Valkey image where no hub can be reached (deploy/containers.sh): the
# real server, out of the wheel that the gateway embeds, and as much of valkey-cli as we use.
ARG BASE_IMAGE=stand-in-base
FROM ${BASE_IMAGE}
RUN useradd --system --uid 999 --user-group valkey \
    && install --directory --owner valkey --group valkey /data
COPY --chmod=0755 valkey-server valkey-cli /usr/local/bin/
VOLUME /data
WORKDIR /data
CMD ["valkey-server"]
